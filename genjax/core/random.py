"""All randomness of a run: keys of its uses, and noise of the global batch or of single examples.

A run has one root key, `State.key`. Every key below is a function of it, of the step and of a fixed
number for each use, so that a resumed run repeats no draw and misses none.
"""

from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import threefry_2x32

from genjax.core import checks
from genjax.core.ambient import setting
from genjax.core.batch import batch_rows
from genjax.core.family import State

# Uses of the root key that the engine owns; a family derives its own from `step_key`.
_DATA, _STEP, _INIT, _SAMPLE = range(4)
# Step and root key of a state, and what the keys of its step have in common.
_known: ContextVar[tuple[Any, Any, Any]] = ContextVar("genjax_step_key", default=(None,) * 3)


def data_key(state_key: jax.Array) -> jax.Array:
    """Makes the key for the order of the data, and for drawing synthetic data."""
    return jax.random.fold_in(state_key, _DATA)


def init_key(state_key: jax.Array) -> jax.Array:
    """Makes the key for initial parameters."""
    return jax.random.fold_in(state_key, _INIT)


def sample_key(state: State) -> jax.Array:
    """Makes the key for the samples that a run shows of `state`."""
    return jax.random.fold_in(jax.random.fold_in(state.key, _SAMPLE), state.step)


def step_key(state: State, use: int) -> jax.Array:
    """Makes the key for use number `use` within the update that follows `state`."""
    step, root, key = _known.get()
    if step is not state.step or root is not state.key:
        key = _key_of_step(state.key, state.step)
    return jax.random.fold_in(key, use)


def keys_of_steps(state: State, steps: int) -> jax.Array:
    """Makes what the keys of the next steps have in common, for `known_key`: uint32 (steps, W)."""
    numbers = state.step + jnp.arange(steps)
    return jax.random.key_data(jax.vmap(lambda step: _key_of_step(state.key, step))(numbers))


def known_key(state: State, words_W: jax.Array | None) -> AbstractContextManager[None]:
    """Lets `step_key` of this very state start from a row of `keys_of_steps`: the same keys.

    Without a row it makes them itself.
    """
    if words_W is None:
        return setting(_known, (None,) * 3)
    key = jax.random.wrap_key_data(words_W, impl=jax.random.key_impl(state.key))
    return setting(_known, (state.step, state.key, key))


def _key_of_step(root: jax.Array, step: jax.Array) -> jax.Array:
    return jax.random.fold_in(jax.random.fold_in(root, _STEP), step)


def batch_normal(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draws standard normal noise, float32, one row for each example of the batch."""
    return batch_rows(lambda s: jax.random.normal(key, s), shape)


def batch_uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draws uniform noise from [0, 1), float32, one row for each example of the batch."""
    return batch_rows(lambda s: jax.random.uniform(key, s), shape)


def example_uniform(seed: int, x: jax.Array, numbers_N: jax.Array, size: int) -> jax.Array:
    """Draws uniform noise in (0, 1), (B, N, size), as a function of each example's own content.

    The noise of an example does not depend on the batch or the device that evaluates it, nor on its
    row there; equal examples have equal noise. Content is read to 1/4096, so that the rounding of
    another program changes nothing.

    Args:
      seed: another gives independent noise; 0 … 2^32 - 1.
      x: (B, …), finite.
      numbers_N: of the draws; each has noise of its own.
      size: numbers a draw.
    """
    checks.whole("seed", seed, 0, 2**32 - 1)
    checks.whole("size", size, 1)
    checks.integers("N", numbers_N=numbers_N)
    place_NxS = numbers_N.astype(jnp.uint32)[:, None] * size + jnp.arange(size, dtype=jnp.uint32)
    shape = (x.shape[0], *place_NxS.shape)
    counts = [jnp.broadcast_to(a, shape).ravel() for a in (_content(x)[:, None, None], place_NxS)]
    # One flat call compiles five times as fast as a key for each example.
    bits: jax.Array = threefry_2x32(jnp.array([seed, 0], jnp.uint32), jnp.concatenate(counts))
    bits = bits[: bits.size // 2].reshape(shape) >> 9
    # 23 bits as the middles of equal intervals, exact in float32.
    return (bits.astype(jnp.float32) + 0.5) * np.float32(2**-23)


def example_normal(seed: int, x: jax.Array, numbers_N: jax.Array, size: int) -> jax.Array:
    """Draws standard normal noise (B, N, size); see `example_uniform`."""
    uniform = example_uniform(seed, x, numbers_N, size)
    return np.float32(np.sqrt(2)) * jax.lax.erf_inv(2 * uniform - 1)


def _content(x: jax.Array) -> jax.Array:
    """Computes a number for each example, uint32 (B,), from all its elements and their places."""
    checks.masks("B …", x=x)
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    words = jnp.round(wide.reshape(x.shape[0], -1) * 4096).astype(jnp.int32).astype(jnp.uint32)
    # Odd multipliers, so that every bit of every element counts; sums of integers are exact.
    odd = (2 * np.arange(words.shape[1], dtype=np.uint64) + 1) * 2654435761
    return (words * odd.astype(np.uint32)).sum(-1, dtype=jnp.uint32)
