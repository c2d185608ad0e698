"""Log-likelihoods of data under a decoder's output, in nats, summed over an example's elements."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.losses.reconstruction import bernoulli_cross_entropy
from genjax.ops.precision import at_least_float32, sum_elements


def bernoulli_log_likelihood(logits: jax.Array, x: jax.Array) -> jax.Array:
    """Computes `sum x log p + (1 - x) log(1 - p)` with `p = sigmoid(logit)`; shape (B,).

    This is the log-probability of binary `x`, computed from the logits without overflow. Of gray
    levels between 0 and 1 it is no probability but the negative cross-entropy.
    Source: Kingma and Welling 2014 (Auto-encoding variational Bayes), equation 11.

    Args:
      logits: (B, …).
      x: (B, …), in [0, 1].

    Examples:
      >>> bernoulli_log_likelihood(jnp.zeros((1, 3)), jnp.ones((1, 3))) / jnp.log(2.0)
      Array([-3.], dtype=float32)
    """
    checks.floats("B …", logits=logits, x=x)
    checks.within("x", x, 0, 1)
    return -math.prod(x.shape[1:]) * bernoulli_cross_entropy(logits, x)


def gaussian_log_likelihood(mean: jax.Array, x: jax.Array, log_scale: Any) -> jax.Array:
    """Computes `log N(x; mean, scale^2)`, the elements independent: a log-density over x, (B,).

    Source: Kingma and Welling 2014, equation 12.

    Args:
      mean, x: (B, …), same shape.
      log_scale: logarithm of the standard deviation: a number, or with the axes of `x`, each of
        that length or 1.

    Examples:
      >>> gaussian_log_likelihood(jnp.zeros((1, 2)), jnp.ones((1, 2)), 0.0) + jnp.log(2 * jnp.pi)
      Array([-1.], dtype=float32)
    """
    mean, x, log_scale = _checked(mean, x, log_scale)
    standard = (x - mean) * jnp.exp(-log_scale)
    return -sum_elements(0.5 * jnp.square(standard) + log_scale + 0.5 * math.log(2 * math.pi))


def discretized_logistic_log_likelihood(
    mean: jax.Array, x: jax.Array, log_scale: Any, levels: int = 256
) -> jax.Array:
    """Computes the log-probability (B,) of gray levels under a logistic cut into bins.

    Level i of `levels` is `x = i / (levels - 1)` and owns the bin that reaches half a level to
    either side; the first and the last bin reach to infinity. With b and a the ends of a bin in
    units of the scale, `sigmoid(a) - sigmoid(b)` is taken as
    `sigmoid(a) sigmoid(-b) (1 - exp(b - a))`, whose logarithm never cancels.
    Source: Salimans et al. 2017 (PixelCNN++), equation 2, with one component and data in [0, 1].

    Args:
      mean, x: (B, …), same shape; `x` in [0, 1].
      log_scale: logarithm of the logistic's scale, in units of `x`: a number, or with the axes of
        `x`, each of that length or 1.
      levels: number of gray levels of the data, at least 2.

    Examples:
      >>> half = jnp.full((1, 1), 0.5)  # of two levels, each on its side of the mean
      >>> discretized_logistic_log_likelihood(half, jnp.ones((1, 1)), 0.0, levels=2) / jnp.log(2.0)
      Array([-1.], dtype=float32)
    """
    checks.whole("levels", levels, 2)
    mean, x, log_scale = _checked(mean, x, log_scale)
    checks.within("x", x, 0, 1)
    half, inverse = 0.5 / (levels - 1), jnp.exp(-log_scale)
    low, high = (x - mean - half) * inverse, (x - mean + half) * inverse
    above_low, below_high = -jax.nn.softplus(low), -jax.nn.softplus(-high)
    inside = above_low + below_high + jnp.log(-jnp.expm1(-2 * half * inverse))
    value = jnp.where(x > 1 - half, above_low, inside)
    return sum_elements(jnp.where(x < half, below_high, value))


def _checked(mean: jax.Array, x: jax.Array, log_scale: Any) -> Any:
    checks.floats("B …", mean=mean, x=x)
    checks.spreads("log_scale", log_scale, "x", x)
    return at_least_float32(mean), at_least_float32(x), at_least_float32(jnp.asarray(log_scale))
