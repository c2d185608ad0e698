"""Randomness: every use has a key of its own, an example the same noise everywhere."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from genjax.core.batch import AXIS
from genjax.core.family import new_state
from genjax.core.random import (
    batch_normal,
    batch_uniform,
    data_key,
    example_normal,
    example_uniform,
    init_key,
    keys_of_steps,
    known_key,
    sample_key,
    step_key,
)


def words(key):
    return tuple(np.asarray(jax.random.key_data(key)).tolist())


def test_every_use_at_every_step_has_its_own_key():
    state = new_state(jax.random.key(3), params={}, opt_state={})
    keys = [words(data_key(state.key)), words(init_key(state.key)), words(state.key)]
    for step, use in itertools.product(range(5), range(4)):
        keys.append(words(step_key(state.replace(step=jnp.int32(step)), use)))
    keys += [words(sample_key(state.replace(step=jnp.int32(step)))) for step in range(5)]
    assert len(set(keys)) == len(keys)


def test_keys_that_were_made_before_are_those_of_their_step_alone():
    state = new_state(jax.random.key(3), params={}, opt_state={})
    known = keys_of_steps(state, 3)
    other = state.replace(step=jnp.int32(2))
    expected = words(step_key(state, 1)), words(step_key(other, 1))
    with known_key(state, known[0]):
        assert (words(step_key(state, 1)), words(step_key(other, 1))) == expected
    with known_key(other, known[2]):
        assert words(step_key(other, 1)) == expected[1]


def test_a_state_of_the_same_step_and_another_root_has_its_own_keys():
    """Such is that of a generator that learns beside a classifier."""
    state = new_state(jax.random.key(3), params={}, opt_state={})
    beside = state.replace(key=jax.random.fold_in(state.key, 1))
    expected = words(step_key(beside, 1))
    with known_key(state, keys_of_steps(state, 1)[0]):
        assert words(step_key(beside, 1)) == expected != words(step_key(state, 1))


def test_keys_are_a_function_of_seed_and_step_alone():
    def at(seed, step, **fields):
        state = new_state(jax.random.key(seed), params=fields, opt_state={})
        return words(step_key(state.replace(step=jnp.int32(step)), 1))

    assert at(0, 7) == at(0, 7, w=jnp.ones(3))
    assert len({at(seed, step) for seed in range(3) for step in range(3)}) == 9


def test_noise_differs_between_examples_but_not_by_rounding():
    def first(x):
        return np.asarray(example_uniform(0, jnp.float32(x), jnp.arange(1), 2)[:, 0])

    gray = np.round(np.random.default_rng(0).uniform(size=(200, 8, 8)) * 255) / 255
    gray[1] = gray[0]
    gray[1, 3, 4] = 1 - gray[0, 3, 4]  # one pixel
    assert len(np.unique(first(gray), axis=0)) == 200
    assert not (first(gray[:, ::-1]) == first(gray)).all(-1).any()
    np.testing.assert_array_equal(first(gray * (1 + 1e-7)), first(gray))


def test_noise_is_standard_normal_and_independent():
    x = jnp.float32(np.random.default_rng(0).normal(size=(40, 3)))
    noise = np.asarray(example_normal(1, x, jnp.arange(500), 3))
    assert noise.shape == (40, 500, 3)
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    for columns in (noise.reshape(40, -1), noise.reshape(-1, 3).T):  # between examples, latents
        correlation = np.corrcoef(columns)[np.triu_indices(len(columns), 1)]
        assert np.abs(correlation).max() < 5 / np.sqrt(columns.shape[1])
    other = np.asarray(example_normal(2, x, jnp.arange(500), 3))
    assert np.abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(noise.size)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "seed=-1: must be at least 0"),
        ({"seed": 2**32}, "seed=4294967296: must be"),
        ({"seed": jax.random.key(0)}, r"seed: is key<fry> \(\); must be a whole number"),
        ({"numbers_N": np.int32(3)}, r"numbers_N: must have shape \(N,\), not \(\)"),
        ({"size": 0}, "size=0: must be at least 1"),
        ({"x": np.zeros((0, 2))}, "x: is empty"),
    ],
)
def test_noise_of_nothing_is_refused_by_name(change, message):
    right = {"seed": 1, "x": np.zeros((4, 2)), "numbers_N": np.arange(3), "size": 2}
    with pytest.raises(ValueError, match=message):
        example_normal(**(right | change))


def test_noise_of_the_batch_axis_is_that_of_the_global_batch():
    key = jax.random.key(5)
    for draw in (batch_normal, batch_uniform):
        whole = draw(key, (6, 2))
        parts = jax.vmap(
            lambda _, draw=draw: draw(key, (2, 2)),
            axis_name=AXIS,
            axis_size=3,
        )(jnp.arange(3))
        np.testing.assert_array_equal(parts.reshape(6, 2), whole)
