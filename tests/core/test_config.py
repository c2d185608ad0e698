"""The shared fields: what is refused and in which words, and the length of a run."""

import pytest
from ml_collections import ConfigDict

from genjax.core.config import (
    ConfigError,
    base,
    fill,
    for_one_device,
    get,
    optimizer,
    total_steps,
    validate,
)


def config(**changes):
    c = base()
    c.steps = 10
    with c.unlocked():
        c.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    return c


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, r"steps, config.epochs, config.examples: none given; exactly one"),
        ({"epochs": 2.0}, r"steps=10 and epochs=2.0 given; exactly one"),
        ({"examples": 5}, r"steps=10 and examples=5 given"),
        ({"steps": -1}, r"config.steps=-1: must be at least 0"),
        ({"batch_size": 0}, r"config.batch_size=0: must be at least 1"),
        ({"log_every": 0}, r"config.log_every=0: must be at least 1"),
        ({"checkpoint_every": -2}, r"config.checkpoint_every=-2: must be at least 0"),
        (
            {"executor": "turbo"},
            r"executor='turbo': must be one of scan, loop, vmap, sharded, pmap",
        ),
        ({"sharding": "zero"}, r"config.sharding='zero': must be one of data, fsdp"),
        ({"sharding": "fsdp"}, r"config.sharding='fsdp': needs executor=sharded, not scan"),
        ({"precision": "float16"}, r"precision='float16': must be one of float32, bfloat16"),
        ({"on_divergence": "cry"}, r"on_divergence='cry': must be one of stop, skip"),
        ({"eval_num_samples": 0}, r"config.eval_num_samples=0: must be at least 1"),
        ({"best_mode": "least"}, r"config.best_mode='least': must be one of min, max"),
        ({"best_metric": "mse"}, r"config.best_metric='mse': needs evaluations .* set eval_every"),
        ({"eval_weights": "x.pth"}, r"config.eval_weights='x.pth': needs eval_metrics"),
        ({"data__channels": 2}, r"config.data.channels=2: must be one of 0, 1, 3"),
        (
            {"data__test_fraction": 1.0},
            r"data.test_fraction=1.0: must be above 0 and below 1",
        ),
        ({"ema_decay": 1.0}, r"config.ema_decay=1.0: must be at least 0 and below 1"),
        ({"accumulate_steps": 3}, r"config.accumulate_steps=3: must divide batch_size=64"),
        ({"num_seeds": 4}, r"config.num_seeds=4: needs executor=vmap, not scan"),
        ({"optimizer__name": "lion"}, r"config.optimizer.name='lion': must be one of adam, adamw"),
        ({"optimizer__schedule": "wsd"}, r"optimizer.schedule='wsd': must be one of constant"),
        ({"optimizer__b2": 1.0}, r"config.optimizer.b2=1.0: must be at least 0 and below 1"),
        ({"optimizer__learning_rate": -1.0}, r"optimizer.learning_rate=-1.0: must be at least 0"),
        (
            {"optimizer__learning_rate": float("inf")},
            r"optimizer.learning_rate=inf: must be finite",
        ),
        ({"epochs": float("nan")}, r"config.epochs=nan: must be finite"),
        ({"optimizer__end_factor": 20.0}, r"optimizer.end_factor=20.0: must be between 0 and 1"),
        ({"start__step": "7"}, r"config.start.step='7': needs start.workdir"),
        ({"start__what": "state"}, r"config.start.what='state': needs start.workdir"),
        ({"optimizer__eps": 0.0}, r"config.optimizer.eps=0.0: must be above 0"),
    ],
)
def test_a_mistake_is_one_line_with_field_value_and_what_is_allowed(changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        validate(config(**changes))
    assert "\n" not in str(caught.value)


def test_every_optimizer_section_is_checked():
    c = config().unlock()
    c.critic_optimizer = optimizer(warmup_steps=-1)
    with pytest.raises(ConfigError, match=r"config.critic_optimizer.warmup_steps=-1"):
        validate(c)


def test_defaults_are_allowed():
    validate(config())
    validate(config(executor="vmap", num_seeds=8, accumulate_steps=64))


@pytest.mark.parametrize(
    ("changes", "examples_per_step", "num_examples", "expected"),
    [
        ({}, 64, 1000, 10),
        ({"steps": 0, "examples": 100}, 64, 1000, 2),  # as many as are needed
        ({"steps": 0, "examples": 128}, 64, 0, 2),
        ({"steps": 0, "epochs": 1.0}, 64, 1000, 16),
        ({"steps": 0, "epochs": 0.5}, 64, 1000, 8),
        ({"steps": 0, "epochs": 0.001}, 64, 1000, 1),
        ({"steps": 0, "epochs": 3.0}, 64, 64, 3),
    ],
)
def test_length_in_steps_from_any_unit(changes, examples_per_step, num_examples, expected):
    assert total_steps(config(**changes), examples_per_step, num_examples) == expected


def test_data_without_end_has_no_epochs():
    with pytest.raises(ConfigError, match=r"config.epochs=2.0: .* give steps or examples"):
        total_steps(config(steps=0, epochs=2.0, data__name="ring"), 64, 0)


@pytest.mark.parametrize(
    "changes", [{"mesh": "data:2,model:4"}, {"elastic": 8}, {"sharding": "fsdp"}]
)
def test_a_run_of_many_devices_is_used_on_one(changes):
    many = config(executor="sharded", **changes)
    one = for_one_device(many)
    validate(many)
    validate(one)
    assert (many.executor, one.executor) == ("sharded", "scan")


def test_get_by_dotted_name():
    assert get(config(optimizer__b1=0.25), "optimizer.b1") == 0.25


def test_filling_adds_what_is_missing_and_changes_nothing_else():
    c = ConfigDict({"a": 1, "section": {"b": 2}})
    fill(c, ConfigDict({"a": 10, "section": {"b": 20, "c": 30}, "other": {"d": 40}}))
    assert c.to_dict() == {"a": 1, "section": {"b": 2, "c": 30}, "other": {"d": 40}}
