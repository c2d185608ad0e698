"""Bounds on log p(x) of latent-variable models by importance sampling, in bounded memory."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import threefry_2x32

from genjax.core import checks
from genjax.losses.variational import importance_weighted_bound
from genjax.ops.precision import at_least_float32

# The numbers (N,) of draws z ~ q(z|x) to their log p(x|z) and log p(z) - log q(z|x), both (B, N).
Draw = Callable[[jax.Array], tuple[jax.Array, jax.Array]]


class Bounds(NamedTuple):
    """What K draws from q(z|x) say of each example, in nats.

    Attributes:
      log_likelihood_B: mean of log p(x|z); minus KL(q(z|x) || p(z)) it is the evidence lower bound.
      importance_B: the importance weighted bound, which rises with K towards log p(x).
    """

    log_likelihood_B: jax.Array
    importance_B: jax.Array


def likelihood_bounds(draw: Draw, num_samples: int, *, chunk: int = 10) -> Bounds:
    """Bounds from `num_samples` draws, made a chunk at a time. Pure: jit it.

    Source: Burda et al. 2016 (Importance weighted autoencoders), equation 8.

    Args:
      draw: `draw(numbers_N)` makes the draws of these numbers, as a function of them alone.
      num_samples: K.
      chunk: the most draws to hold in memory at once, for each example.

    Raises:
      ValueError: a number below 1, or draws that are not (B, N).
    """
    checks.whole("num_samples", num_samples, 1)
    checks.whole("chunk", chunk, 1)
    chunk = max(n for n in range(1, min(chunk, num_samples) + 1) if num_samples % n == 0)

    def part(numbers_N: jax.Array) -> Bounds:
        log_likelihood_BxN, log_ratio_BxN = draw(numbers_N)
        sizes = {"N": (len(numbers_N), "numbers_N")}
        checks.floats(
            "B N", sizes, log_likelihood_BxN=log_likelihood_BxN, log_ratio_BxN=log_ratio_BxN
        )
        bound_B = importance_weighted_bound(log_likelihood_BxN + log_ratio_BxN)
        return Bounds(at_least_float32(log_likelihood_BxN).mean(-1), bound_B)

    parts = jax.lax.map(part, jnp.arange(num_samples).reshape(-1, chunk))
    # All parts have the same number of draws: the mean of their weights is that of all draws.
    bound_B = importance_weighted_bound(jnp.moveaxis(parts.importance_B, 0, -1))
    return Bounds(parts.log_likelihood_B.mean(0), bound_B)


def example_keys(key: jax.Array, x: jax.Array) -> jax.Array:
    """A PRNG key for each example, shape (B,), from `key` and the example's own content.

    Noise drawn by it does not depend on the batch or the device that evaluates the example, nor on
    its row there; equal examples have equal noise. Content is read to 1/4096, so that the rounding
    of another program changes nothing.

    Args:
      key: PRNG key.
      x: (B, …), finite.
    """
    checks.key("key", key)
    return jax.vmap(lambda content: jax.random.fold_in(key, content))(_content(x))


def example_uniform(seed: int, x: jax.Array, numbers_N: jax.Array, size: int) -> jax.Array:
    """Uniform noise in (0, 1), (B, N, size), a function of each example's own content.

    As if drawn by `example_keys`, but in one flat call, which compiles five times as fast.

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
    bits = threefry_2x32(jnp.array([seed, 0], jnp.uint32), jnp.concatenate(counts))
    bits = bits[: bits.size // 2].reshape(shape)
    # 23 bits as the middles of equal intervals, exact in float32.
    return ((bits >> 9).astype(jnp.float32) + 0.5) * np.float32(2**-23)


def example_normal(seed: int, x: jax.Array, numbers_N: jax.Array, size: int) -> jax.Array:
    """Standard normal noise (B, N, size); see `example_uniform`."""
    uniform = example_uniform(seed, x, numbers_N, size)
    return np.float32(np.sqrt(2)) * jax.lax.erf_inv(2 * uniform - 1)


def _content(x: jax.Array) -> jax.Array:
    """A number for each example, uint32 (B,), from all of its elements and their places."""
    checks.masks("B …", x=x)
    words = (
        jnp.round(at_least_float32(x).reshape(x.shape[0], -1) * 4096)
        .astype(jnp.int32)
        .astype(jnp.uint32)
    )
    # Odd multipliers, so that every bit of every element counts; sums of integers are exact.
    odd = (2 * np.arange(words.shape[1], dtype=np.uint64) + 1) * 2654435761
    return (words * odd.astype(np.uint32)).sum(-1, dtype=jnp.uint32)
