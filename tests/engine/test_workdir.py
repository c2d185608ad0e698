import json

import jax.numpy as jnp
import pytest

from genjax import families
from genjax.core.config import ConfigError
from genjax.core.files import write_json
from genjax.engine import loop
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.run import prepare
from genjax.engine.workdir import open_workdir, read_config
from tests.contracts import recipes
from tests.engine.processes import start_python


def make_config(**changes):
    c = families.default_config("autoencoder").unlock()
    c.steps = 100
    c.model.update(widths=(64, 32), activation="relu", rate=0.1, extra=None)
    c.update_from_flattened_dict(changes)
    return c


def config_error(path, config, **kwargs):
    with pytest.raises(ConfigError) as e:
        open_workdir(path, config, **kwargs)
    assert "\n" not in str(e.value)
    return str(e.value)


def test_a_new_workdir_gets_the_config_and_what_it_ran_on(tmp_path):
    path = open_workdir(tmp_path / "deep" / "run", make_config())
    record = json.loads((path / "config.json").read_text())
    assert record["config"]["model"]["widths"] == [64, 32]
    assert set(record["versions"]) == {"python", "jax", "jaxlib", "flax", "optax", "genjax"}
    assert all(record["versions"].values())  # genjax's own under its distribution's name
    assert record["device"]["count"] >= 1
    assert record["device"]["kind"]
    assert "started" in record
    assert "git_revision" in record
    assert [p.name for p in path.iterdir()] == ["config.json"]


def test_the_config_reads_back_with_its_types(tmp_path):
    config = make_config()
    open_workdir(tmp_path / "run", config)
    back = read_config(tmp_path / "run", need_checkpoint=False)
    assert back.to_dict() == config.to_dict()
    assert type(back.model.widths) is tuple
    assert type(back.epochs) is float
    assert type(back.steps) is int
    assert back.is_locked


def test_the_same_config_resumes_and_keeps_the_start_time(tmp_path):
    path = open_workdir(tmp_path, make_config())
    started = json.loads((path / "config.json").read_text())["started"]
    open_workdir(tmp_path, make_config())
    record = json.loads((path / "config.json").read_text())
    assert record["started"] == started
    assert record["resumed"] >= started


@pytest.mark.parametrize(
    "change",
    [
        {"chunk": 7},
        {"executor": "loop"},
        {"sharding": "fsdp"},
        {"log_every": 3},
        {"eval_every": 5},
        {"sample_every": 5},
        {"checkpoint_every": 5},
        {"keep_checkpoints": 9},
        {"keep_every": 50},
        {"data.dir": "/x"},
        {"data.cache_dir": "/x"},
        {"data.device_limit_mb": 1},
        {"steps": 200},
        {"steps": 0, "epochs": 3.0},
        {"steps": 0, "examples": 1000},
    ],
)
def test_how_a_run_is_run_may_change_on_resume(tmp_path, change):
    open_workdir(tmp_path, make_config())
    changed = make_config(**change)
    open_workdir(tmp_path, changed)
    assert read_config(tmp_path, need_checkpoint=False).to_dict() == changed.to_dict()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 32}, "config.batch_size is 64 there, 32 here"),
        ({"seed": 1}, "config.seed is 0 there, 1 here"),
        ({"model.widths": (64,)}, "config.model.widths is [64, 32] there, [64] here"),
        ({"family": "gan"}, "config.family is 'autoencoder' there, 'gan' here"),
        (
            {"optimizer.learning_rate": 0.5},
            "config.optimizer.learning_rate is 0.001 there, 0.5 here",
        ),
        ({"executor": "vmap"}, "config.executor is 'scan' there, 'vmap' here"),
        ({"data.name": "ring"}, "config.data.name is 'digits' there, 'ring' here"),
    ],
)
def test_another_config_is_refused_and_nothing_is_written(tmp_path, change, message):
    open_workdir(tmp_path, make_config())
    before = (tmp_path / "config.json").read_bytes()
    error = config_error(tmp_path, make_config(**change))
    assert message in error
    assert "Give another workdir" in error
    assert (tmp_path / "config.json").read_bytes() == before


def test_a_population_stays_one(tmp_path):
    open_workdir(tmp_path, make_config(executor="vmap"))
    error = config_error(tmp_path, make_config(executor="loop"))
    assert "config.executor is 'vmap' there, 'loop' here" in error


def test_many_differences_are_told_in_one_line(tmp_path):
    open_workdir(tmp_path, make_config())
    other = make_config(seed=1, batch_size=1, precision="bfloat16", num_seeds=2)
    del other.model.extra
    error = config_error(tmp_path, other)
    assert "and 2 more" in error
    with other.unlocked():
        other = make_config()
        other.model.more = 1
    assert "config.model.more is absent there, 1 here" in config_error(tmp_path, other)


def test_a_run_that_is_older_than_a_field_resumes_at_its_default(tmp_path):
    as_ever, other = make_config(), make_config()
    as_ever.model.dropout, other.model.dropout = 0.0, 0.5  # the family's default, and not
    open_workdir(tmp_path, make_config())
    assert "config.model.dropout is 0.0 there, 0.5 here" in config_error(tmp_path, other)
    open_workdir(tmp_path, as_ever)


def test_the_length_of_a_run_with_a_schedule_is_fixed(tmp_path):
    open_workdir(tmp_path, make_config(**{"optimizer.schedule": "cosine"}))
    error = config_error(tmp_path, make_config(**{"optimizer.schedule": "cosine", "steps": 200}))
    assert "config.steps is 100 there, 200 here" in error
    assert "(config.optimizer.schedule goes by the run's length, which is fixed therefore)" in error


@pytest.mark.parametrize(
    ("family", "field", "value", "none"),
    [
        ("gan", "loss.instance_noise", 0.5, 0.0),
        ("stacked_autoencoder", "loss.pretrain", (0.2, 0.2, 0.2), (0.0, 0.0, 0.0)),
    ],
)
def test_so_is_one_of_which_a_field_spans_it(tmp_path, family, field, value, none):
    def config(value, steps):
        c = families.default_config(family)
        c.update_from_flattened_dict({field: value, "steps": steps})
        for section in ("optimizer", "critic_optimizer"):
            if section in c:
                c[section].schedule = "constant"
        return c

    open_workdir(tmp_path / "spanned", config(value, 100))
    error = config_error(tmp_path / "spanned", config(value, 200))
    assert f"(config.{field} goes by the run's length, which is fixed therefore)" in error
    open_workdir(tmp_path / "free", config(none, 100))
    open_workdir(tmp_path / "free", config(none, 200))


def test_a_run_that_must_be_new_is_refused_where_one_is(tmp_path):
    open_workdir(tmp_path / "run", make_config(), resume=False)
    assert "holds a run already" in config_error(tmp_path / "run", make_config(), resume=False)


def test_a_sweep_s_folder_is_no_run_s(tmp_path):
    (tmp_path / "sweep.json").write_text("{}")
    assert f"--workdir={tmp_path}: holds a sweep" in config_error(tmp_path, make_config())
    assert [p.name for p in tmp_path.iterdir()] == ["sweep.json"]


def test_a_workdir_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "is a file" in config_error(tmp_path / "file", make_config())
    assert f"{tmp_path / 'file'} is a file" in config_error(tmp_path / "file" / "x", make_config())
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    config_error(tmp_path / "link", make_config())


def test_checkpoints_of_an_unknown_config_are_refused(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    assert "no config.json" in config_error(tmp_path, make_config())
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoints"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"config": 3}'])
def test_a_broken_config_json_is_refused_and_named(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    assert str(tmp_path / "config.json") in config_error(tmp_path, make_config())
    with pytest.raises(ConfigError, match=r"config\.json"):
        read_config(tmp_path)


def test_reading_tells_what_is_missing(tmp_path):
    with pytest.raises(ConfigError, match=r"--workdir=.*absent: no such folder"):
        read_config(tmp_path / "absent")
    with pytest.raises(ConfigError, match=r"has no config\.json"):
        read_config(tmp_path)
    open_workdir(tmp_path, make_config())
    with pytest.raises(ConfigError, match="no complete checkpoint"):
        read_config(tmp_path)
    Checkpoints(tmp_path / "checkpoints").save(1, {"x": jnp.ones(3)}, wait=True)
    assert read_config(tmp_path).steps == 100


@pytest.mark.parametrize("recorded", [{}, {"family": "nonsense"}])
def test_a_config_of_no_known_family_is_refused(tmp_path, recorded):
    (tmp_path / "config.json").write_text(json.dumps({"config": recorded}))
    with pytest.raises(ConfigError, match=r"config\.family='(nonsense)?': must be one of"):
        read_config(tmp_path, need_checkpoint=False)


def test_a_read_only_disk_is_refused(small_disk, make_read_only):
    open_workdir(small_disk / "run", make_config())
    make_read_only()
    assert "cannot be written" in config_error(small_disk / "run", make_config())
    assert "cannot be written" in config_error(small_disk / "new" / "run", make_config())
    assert read_config(small_disk / "run", need_checkpoint=False).steps == 100


def test_a_full_disk_is_told_and_nothing_half_written_is_left(small_disk):
    with pytest.raises(OSError, match="No space"):
        (small_disk / "filler").write_bytes(bytes(2_000_000))
    error = config_error(small_disk / "new" / "run", make_config())
    assert "cannot be written (No space left on device)" in error
    assert [p.name for p in small_disk.iterdir()] == ["filler"]


def test_json_is_replaced_whole_or_not_at_all(small_disk):
    write_json(small_disk / "eval.json", {"a": 1})
    with pytest.raises(OSError, match="No space"):
        (small_disk / "filler").write_bytes(bytes(2_000_000))
    with pytest.raises(OSError, match="No space"):
        write_json(small_disk / "eval.json", {"a": list(range(1000))})
    assert json.loads((small_disk / "eval.json").read_text()) == {"a": 1}
    assert sorted(p.name for p in small_disk.iterdir()) == ["eval.json", "filler"]


def test_one_process_at_a_time_trains_in_a_folder(tmp_path):
    run = prepare(recipes.tiny("autoencoder", tmp_path, steps=2, epochs=0.0))
    loop.train(run, tmp_path / "run")
    before = (tmp_path / "run" / "config.json").read_bytes()
    code = """
        import sys, time
        from pathlib import Path
        from genjax.engine.lock import lock
        with lock(Path(sys.argv[1])):
            print("ready", flush=True)
            time.sleep(600)
    """
    (other,) = start_python(code, tmp_path / "run")
    try:
        assert other.stdout is not None and other.stdout.readline() == "ready\n"
        with pytest.raises(ConfigError, match="run: another process trains in it; wait") as e:
            loop.train(run, tmp_path / "run")
        assert "\n" not in str(e.value)
        assert (tmp_path / "run" / "config.json").read_bytes() == before
    finally:
        other.kill()
        other.communicate()
    loop.train(run, tmp_path / "run")  # what is killed holds nothing
    assert "resumed" in json.loads((tmp_path / "run" / "config.json").read_text())
