"""Reconstruction losses: how far an output is from its target, one float32 value an example."""

import math

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.precision import at_least_float32, softplus, sum_elements


def squared_error(output: jax.Array, target: jax.Array) -> jax.Array:
    """Mean over an example's elements of `(output - target)^2`; shape (B,).

    Args:
      output, target: (B, …), same shape.
    """
    checks.floats("B …", output=output, target=target)
    return _mean(jnp.square(at_least_float32(output) - at_least_float32(target)))


def bernoulli_cross_entropy(logits: jax.Array, target: jax.Array) -> jax.Array:
    """Mean over an example's elements of the cross-entropy between Bernoullis, in nats; shape (B,).

    `-t log p - (1 - t) log(1 - p)` with `p = sigmoid(logit)`, computed from the logits without
    overflow. Targets between 0 and 1 are allowed; the minimum is then the entropy of the target.

    Args:
      logits: (B, …).
      target: (B, …), in [0, 1].
    """
    checks.floats("B …", logits=logits, target=target)
    checks.within("target", target, 0, 1)
    logits, target = at_least_float32(logits), at_least_float32(target)
    return _mean(softplus(logits) - logits * target)


def _mean(x: jax.Array) -> jax.Array:
    return sum_elements(x, weight=1 / math.prod(x.shape[1:]))
