"""The state at step 0."""

import jax
import jax.numpy as jnp

from genjax.core.family import new_state


def test_a_new_state_is_at_step_0_and_strongly_typed():
    state = new_state(jax.random.key(0), params={"w": 1.0, "n": 2}, opt_state={"o": jnp.ones(2)})
    assert state.step == 0 and state.step.dtype == jnp.int32
    assert state.params["w"].dtype == jnp.float32
    assert not any(x.weak_type for x in jax.tree.leaves((state.params, state.opt_state)))
