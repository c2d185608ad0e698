"""States to save, and what of them must come back."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from genjax.core.family import new_state
from genjax.engine.checkpoints import Checkpoints


def make_state(seed=0, step=0):
    params = {"net": {"Dense_0": {"kernel": jax.random.normal(jax.random.key(seed), (8, 5))}}}
    state = new_state(
        jax.random.key(seed, impl="rbg" if seed else None),
        params=params,
        opt_state={"optimizer": optax.adam(1e-3).init(params)},
        variables={"empty": jnp.zeros((0, 3)), "none": None, "flags": jnp.array([True, False])},
        ema={"half": jnp.array([jnp.nan, -0.0, 1.5], jnp.bfloat16)},
    )
    return state.replace(step=jnp.int32(step))


def shapes_of(state):
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), state
    )


def bits(tree):
    def raw(x):
        x = jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
        return str(x.dtype), x.shape, np.asarray(x).tobytes()

    return jax.tree.map(raw, tree)


def two_saved(directory):
    checkpoints = Checkpoints(directory)
    checkpoints.save(10, make_state(0, 10))
    checkpoints.save(20, make_state(0, 20), wait=True)
    checkpoints.close()


def restored_step(directory):
    step, state = Checkpoints(directory).restore(shapes_of(make_state(0)))
    assert int(state.step) == step
    return step


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
