"""Bounds on log p(x) of latent-variable models from draws of latents, in bounded memory."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.losses.variational import importance_weighted_bound
from genjax.ops.precision import at_least_float32

# The numbers (N,) of draws z ~ q(z|x) to their log p(x|z) and log p(z) - log q(z|x), both (B, N).
_Draw = Callable[[jax.Array], tuple[jax.Array, jax.Array]]


class Bounds(NamedTuple):
    """Bounds on log p(x) of each example, in nats, as K draws from q(z|x) estimate them.

    Attributes:
      log_likelihood_B: mean of log p(x|z); less KL(q(z|x) || p(z)) it is the evidence lower bound.
      importance_B: the importance weighted bound, which rises with K towards log p(x).
    """

    log_likelihood_B: jax.Array
    importance_B: jax.Array


def likelihood_bounds(draw: _Draw, num_samples: int, *, chunk: int = 10) -> Bounds:
    """Computes bounds from `num_samples` draws, made a chunk at a time.

    Source: Burda et al. 2016 (Importance weighted autoencoders), equation 8.

    Args:
      draw: `draw(numbers_N)` makes the draws of these numbers, as a function of them alone.
      num_samples: K.
      chunk: the most draws to hold in memory at once, for each example.

    Raises:
      ValueError: a number below 1, or draws that are not (B, N).

    Examples:
      >>> bounds = likelihood_bounds(lambda n: (-jnp.ones((1, len(n))), jnp.zeros((1, len(n)))), 4)
      >>> bounds.importance_B
      Array([-1.], dtype=float32)
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
