"""Keys and states: every use of randomness has a key of its own."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core.family import data_key, init_key, new_state, sample_key, step_key


def words(key):
    return tuple(np.asarray(jax.random.key_data(key)).tolist())


def test_every_use_at_every_step_has_its_own_key():
    state = new_state(jax.random.key(3), params={}, opt_state={})
    keys = [words(data_key(state.key)), words(init_key(state.key)), words(state.key)]
    for step, use in itertools.product(range(5), range(4)):
        keys.append(words(step_key(state.replace(step=jnp.int32(step)), use)))
    keys += [words(sample_key(state.replace(step=jnp.int32(step)))) for step in range(5)]
    assert len(set(keys)) == len(keys)


def test_keys_are_a_function_of_seed_and_step_alone():
    def at(seed, step, **fields):
        state = new_state(jax.random.key(seed), params=fields, opt_state={})
        return words(step_key(state.replace(step=jnp.int32(step)), 1))

    assert at(0, 7) == at(0, 7, w=jnp.ones(3))
    assert len({at(seed, step) for seed in range(3) for step in range(3)}) == 9


def test_a_new_state_is_at_step_0_and_strongly_typed():
    state = new_state(jax.random.key(0), params={"w": 1.0, "n": 2}, opt_state={"o": jnp.ones(2)})
    assert state.step == 0 and state.step.dtype == jnp.int32
    assert state.params["w"].dtype == jnp.float32
    assert not any(x.weak_type for x in jax.tree.leaves((state.params, state.opt_state)))
