import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genjax.core.random import data_key
from genjax.data.in_memory import Resident

KEY = data_key(jax.random.key(1))


def source(n=23):
    x = np.arange(n, dtype=np.uint8).reshape(n, 1, 1, 1) * np.ones((1, 2, 3, 1), np.uint8)
    return Resident({"x": x, "label": np.arange(n, dtype=np.int32)})


def planned(s, first_step, num_steps, shape, key=KEY):
    plan = jax.jit(s.plan, static_argnums=(2, 3))
    return np.asarray(plan(key, s.cursor(first_step, shape), num_steps, shape))


@settings(deadline=None, max_examples=15)
@given(n=st.integers(1, 40), shape=st.sampled_from([(1,), (7,), (3, 5), (64,)]))
def test_every_epoch_holds_each_example_once_and_batches_straddle_epochs(n, shape):
    epochs = 4
    steps = -(-epochs * n // int(np.prod(shape)))
    seen = planned(source(n), 0, steps, shape).reshape(-1)[: epochs * n].reshape(epochs, n)
    np.testing.assert_array_equal(np.sort(seen, axis=1), np.tile(np.arange(n), (epochs, 1)))


def test_batches_do_not_depend_on_where_a_chunk_starts():
    s, shape = source(), (2, 5)
    whole = planned(s, 0, 12, shape)
    assert whole.shape == (12, 2, 5) and whole.dtype == np.int32
    for first, count in ((0, 5), (5, 7), (11, 1)):
        np.testing.assert_array_equal(planned(s, first, count, shape), whole[first : first + count])


def test_cursor_is_exact_beyond_32_bits():
    step = 10**12
    cursor = source().cursor(step, (5, 64))
    assert cursor.epoch.dtype == cursor.offset.dtype == np.uint32
    assert int(cursor.offset) == step * 320 % 23
    assert int(cursor.epoch) == step * 320 // 23 % 2**32


def test_members_of_a_population_get_the_batches_of_their_own_keys():
    s, keys = source(), jax.vmap(jax.random.key)(jnp.arange(3))
    cursor = s.cursor(4, (6,))
    many = jax.jit(jax.vmap(lambda k: s.plan(k, cursor, 5, (6,))))(keys)
    for key, plan in zip(keys, many):
        np.testing.assert_array_equal(plan, planned(s, 4, 5, (6,), key))
    assert not np.array_equal(many[0], many[1])


def test_fetch_gives_pixels_in_0_1_and_their_labels():
    s = source()
    index = jnp.array([[0, 22], [3, 3]])
    batch = jax.jit(s.fetch)(s.arrays, index)
    assert set(batch) == {"x", "label"}
    assert batch["x"].dtype == jnp.float32 and batch["x"].shape == (2, 2, 2, 3, 1)
    np.testing.assert_array_equal(batch["label"], index)
    np.testing.assert_allclose(batch["x"][..., 0, 0, 0], index / np.float32(255), rtol=1e-7)


def test_white_is_exactly_one_and_float_data_is_left_alone():
    white = Resident({"x": np.full((3, 2), 255, np.uint8)})
    assert (white.fetch(white.arrays, jnp.arange(3))["x"] == 1).all()
    x = np.random.RandomState(0).randn(3, 2).astype(np.float32)
    points = Resident({"x": x})
    batch = points.fetch(points.arrays, jnp.arange(3))
    assert set(batch) == {"x"}
    np.testing.assert_array_equal(batch["x"], x)


@pytest.mark.parametrize("batch_size", [1, 5, 23, 64])
def test_evaluation_visits_each_example_once_in_order(batch_size):
    s = source()
    elements = s.evaluation(batch_size)
    assert {v.shape for v in elements.values()} == {(-(-23 // batch_size), batch_size)}
    seen = []
    for i in range(len(elements["mask"])):
        batch = s.fetch(s.arrays, {k: v[i] for k, v in elements.items()})
        assert batch["mask"].dtype == jnp.float32
        seen += list(np.asarray(batch["label"])[np.asarray(batch["mask"]) == 1])
    assert seen == list(range(23))


def test_steps_compile_once_whatever_the_cursor():
    s = source()
    traced = []

    @jax.jit
    def run(key, cursor):
        traced.append(1)
        return s.plan(key, cursor, 3, (4,))

    for step in (0, 7, 10**9, 10**11):
        run(KEY, s.cursor(step, (4,)))
    assert len(traced) == 1
