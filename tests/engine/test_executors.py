"""Executors: chunks, means, populations, and states that any of them can go on from."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.config import ConfigError
from genjax.data.source import first_rows
from genjax.engine import loop, placement
from genjax.engine.executor import chunk_length
from genjax.engine.run import prepare
from genjax.ops.platform import traced_for
from tests.contracts import recipes
from tests.contracts.trees import assert_close, assert_equal, leaves, member


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("executors")


def make(folder, name="autoencoder", population=None, **changes):
    return prepare(recipes.tiny(name, folder, **changes), **population or {}).executor


def chunk(streamed=False, batch_shape=(64,), shape=(8, 8, 1), **fields):
    config = SimpleNamespace(**({"chunk": 0, "log_every": 100} | fields))
    dataset = SimpleNamespace(
        train=SimpleNamespace(streamed=streamed), spec=SimpleNamespace(shape=shape)
    )
    return chunk_length(config, SimpleNamespace(batch_shape=batch_shape), dataset)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"log_every": 100}, 100),
        ({"log_every": 200}, 200),
        ({"log_every": 1000}, 200),  # the largest divisor up to 200
        ({"log_every": 201}, 67),
        ({"log_every": 211}, 1),  # a prime
        ({"log_every": 1}, 1),
        ({"log_every": 100, "chunk": 7}, 7),
        ({"chunk": 500}, 500),
        ({"log_every": 100, "streamed": True}, 100),
        # 64 MiB hold 5 batches of 64 pictures of 256x256x3
        ({"log_every": 100, "streamed": True, "shape": (256, 256, 3)}, 5),
        ({"log_every": 100, "streamed": True, "shape": (2048, 2048, 3)}, 1),
        ({"chunk": 50, "streamed": True, "shape": (256, 256, 3)}, 5),
        ({"streamed": True, "shape": (256, 256, 3), "batch_shape": (5, 64)}, 1),
    ],
)
def test_a_log_interval_is_a_whole_number_of_chunks(fields, expected):
    assert chunk(**fields) == expected


def test_a_chunk_as_accelerators_want_it_makes_the_same_numbers(folder):
    """Its length is static, keys are made before it, metrics share an array, scans are unrolled."""
    plain = make(folder, "text_vae", chunk=3)
    start = leaves(plain.init())
    state, metrics = plain.run(plain.init(), 0, 3)
    with traced_for("cuda"):
        other = make(folder, "text_vae", chunk=3)
        got, seen = other.run(other.init(), 0, 3)
    assert_close(leaves(got), leaves(state), start, fraction=1e-3)
    assert_close(leaves(seen), leaves(metrics), {}, fraction=1e-5)


@pytest.mark.parametrize(("batch_size", "parts", "devices"), [(16, 1, 8), (16, 2, 8), (9, 3, 3)])
def test_divisible_batches_are_allowed(batch_size, parts, devices):
    config = SimpleNamespace(batch_size=batch_size, accumulate_steps=parts, elastic=0, mesh="")
    placement.check_divisible(config, devices)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (1, r"config.batch_size=12: must be divisible by the number of devices, 8"),
        (2, r"config.batch_size=12 / accumulate_steps=2: must be divisible by .* devices, 8"),
    ],
)
def test_a_batch_that_devices_do_not_divide_is_refused(parts, message):
    with pytest.raises(ConfigError, match=message):
        placement.check_divisible(
            SimpleNamespace(batch_size=12, accumulate_steps=parts, elastic=0, mesh=""), 8
        )


def test_streamed_data_train_and_evaluate_as_resident_ones(folder):
    streamed = make(folder, "autoencoder+streamed+bfloat16")
    resident = make(folder, "autoencoder+streamed+bfloat16", data__device_limit_mb=2048)
    assert streamed.dataset.train.streamed and not resident.dataset.train.streamed
    states, start = [], leaves(resident.init())
    for executor in (streamed, resident):
        state = executor.init()
        for first, n in ((0, 4), (4, 4), (8, 3)):  # 54 pictures, 16 a step: over several epochs
            state, _ = executor.run(state, first, n)
        states.append(state)
    # Two programs: the batches are equal in every bit (tests/data), their rounding need not be.
    assert_close(leaves(states[0]), leaves(states[1]), start, fraction=1e-3)
    means = [e.evaluate(s) for e, s in zip((streamed, resident), states, strict=True)]
    for metric in means[0]:
        np.testing.assert_allclose(means[0][metric], means[1][metric], rtol=1e-5)


def test_a_stream_that_is_left_is_taken_up_at_any_step(folder):
    executor = make(folder, "autoencoder+streamed+bfloat16")
    straight, _ = executor.run(executor.init(), 0, 2)
    straight, _ = executor.run(straight, 2, 3)
    again, _ = executor.run(executor.init(), 0, 2)  # back to the start, then on
    again, _ = executor.run(again, 2, 3)
    assert_equal(leaves(again), leaves(straight))


def test_evaluation_does_not_depend_on_the_batch_size(folder):
    means = []
    for batch_size in (16, 50, 179):  # 179 test digits: padded and unpadded batches
        executor = make(folder, batch_size=batch_size)
        means.append(executor.evaluate(executor.init()))
    for mean in means[1:]:
        for metric in mean:
            np.testing.assert_allclose(mean[metric], means[0][metric], rtol=1e-5)


def test_states_are_interchangeable_between_executors(folder):
    kinds = ("scan", "loop", "sharded", "pmap")
    made = {kind: make(folder, executor=kind) for kind in kinds}
    shapes = {
        kind: jax.tree.map(lambda x: (x.shape, x.dtype), executor.template())
        for kind, executor in made.items()
    }
    assert all(shape == shapes["scan"] for shape in shapes.values())
    state, _ = made["pmap"].run(made["pmap"].init(), 0, 3)
    saved = made["pmap"].to_checkpoint(state)
    expected = leaves(saved)
    back = made["pmap"].from_checkpoint(saved)
    assert_equal(leaves(made["pmap"].to_checkpoint(back)), expected)
    for kind in ("scan", "sharded"):
        shardings = jax.tree.map(lambda t: t.sharding, made[kind].template())
        placed = jax.device_put(jax.tree.map(jnp.copy, saved), shardings)
        state, _ = made[kind].run(made[kind].from_checkpoint(placed), 3, 1)
        assert int(state.step) == 4


def test_members_have_the_seeds_from_the_first_on(folder):
    executor = make(folder, executor="vmap", num_seeds=3, seed=5)
    state = executor.init()
    assert executor.num_members == 3
    for i, seed in enumerate((5, 6, 7)):
        single = make(folder, seed=seed)
        assert_equal(member(leaves(state), i), leaves(single.init()))


def test_a_member_that_is_lost_leaves_the_others_alone(folder):
    rates = {"optimizer.learning_rate": [1e-3, np.nan, 1e-3]}
    good = {"optimizer.learning_rate": [1e-3, 1e-3, 1e-3]}
    seeds, states = (1, 2, 3), []
    for hyperparameters in (rates, good):
        population = {"seeds": seeds, "hyperparameters": hyperparameters}
        executor = make(folder, executor="vmap", population=population)
        state, metrics = executor.run(executor.init(), 0, 4)
        states.append(leaves(state))
        lost = hyperparameters is rates
        assert np.isfinite(metrics["loss"]).all(axis=-1).tolist() == [True, not lost, True]
    for i in (0, 2):
        assert_equal(member(states[0], i), member(states[1], i))


def test_a_population_of_streamed_data_is_refused(folder):
    with pytest.raises(ConfigError, match=r"executor='vmap': needs the data on the device"):
        make(folder, "autoencoder+streamed+bfloat16", executor="vmap")


def test_a_skipped_step_is_told_and_changes_nothing(folder):
    executor = make(folder, on_divergence="skip")
    state, metrics = executor.run(executor.init(), 0, 2)
    assert metrics["skipped"][:2].tolist() == [0, 0]
    before = leaves(state)
    numbers = state.opt_state["optimizer"]
    broken = numbers._replace(
        hyperparams=numbers.hyperparams | {"learning_rate": jnp.float32(np.inf)}
    )
    state, metrics = executor.run(state.replace(opt_state={"optimizer": broken}), 2, 3)
    after = leaves(state)
    assert metrics["skipped"][:3].tolist() == [1, 1, 1]
    assert after["step"] == 5  # other data and noise for the next one
    kept = {n: x for n, x in before.items() if n.startswith("params")}
    assert_equal({n: after[n] for n in kept}, kept)


@pytest.mark.parametrize("executor", ["scan", "vmap", "sharded", "pmap"])
def test_a_family_without_a_prior_shows_reconstructions(executor, folder, tmp_path):
    config = recipes.tiny(
        "autoencoder",
        folder,
        executor=executor,
        steps=8,
        sample_every=4,
        num_samples=5,
        num_seeds=2 if executor == "vmap" else 1,
    )
    shown = []

    def pairs(x, outputs):
        shown.append((x, outputs))
        return np.zeros((4, 4, 1), np.uint8)

    run = prepare(config)
    loop.train(run, tmp_path, hooks=loop.Hooks(picture=lambda x: 1 / 0, pairs=pairs))
    assert [x.shape for x, _ in shown] == [y.shape for _, y in shown] == [(5, 8, 8, 1)] * 2
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == [
        "reconstructions_0000004.png",
        "reconstructions_0000008.png",
    ]
    np.testing.assert_array_equal(shown[0][0], first_rows(run.dataset.test, 5)[0])
    assert not np.array_equal(shown[0][1], shown[1][1])


def test_slow_steps_come_in_short_chunks_and_to_the_same_bits(tmp_path, monkeypatch):
    """A signal waits for no more than two chunks: their length is a matter of seconds."""
    every = {"log_every": 20, "eval_every": 0, "sample_every": 0, "checkpoint_every": 0}
    run = prepare(recipes.tiny("autoencoder", tmp_path, steps=40, epochs=0.0, chunk=20, **every))
    lengths, states = [], []
    advance = run.executor.run

    def recorded(state, first, n):
        lengths.append(n)
        state, metrics = advance(state, first, n)
        states.append(leaves(state))
        return state, metrics

    monkeypatch.setattr(run.executor, "run", recorded)
    loop.train(run, tmp_path / "quick")
    quick, end = lengths.copy(), states[-1]
    lengths.clear()
    monkeypatch.setattr(loop, "_CHUNK_SECONDS", 1e-9)
    loop.train(run, tmp_path / "slow")
    assert max(quick) > 5
    assert lengths[:3] == [5, 5, 5] and set(lengths[3:]) == {1}
    assert sum(quick) == sum(lengths) == 40
    assert_equal(states[-1], end)
