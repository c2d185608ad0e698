"""A process to be killed: saves one checkpoint after the other, without a pause, until it dies.

`python saving_child.py DIRECTORY`: resumes from what is there, and prints each step on completion.
"""

import sys

import jax
import jax.numpy as jnp

from genjax.engine.checkpoints import Checkpoints

SHAPES = {"w": (300, 400), "b": (400,), "deep": (5, 100, 100), "scalar": ()}


def state_at(step: int) -> dict:
    """All that a run holds at `step`: different bits for every step and leaf."""
    key = jax.random.fold_in(jax.random.key(7), step)
    keys = jax.random.split(key, len(SHAPES))
    drawn = {n: jax.random.normal(k, s) for (n, s), k in zip(SHAPES.items(), keys, strict=True)}
    return drawn | {"step": jnp.int32(step), "key": key}


def template() -> dict:
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    shapes = jax.eval_shape(state_at, 0)
    return jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=device), shapes)


if __name__ == "__main__":
    checkpoints = Checkpoints(sys.argv[1], keep_last=2)
    found = checkpoints.restore(template())
    step = 0 if found is None else found[0]
    make = jax.jit(state_at)
    while True:
        step += 1
        checkpoints.save(step, make(step))
        checkpoints.wait()
        print(step, flush=True)
