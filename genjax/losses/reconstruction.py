"""Losses of an output against its target, one float32 value an example."""

import math

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.precision import at_least_float32, softplus, sum_elements


def squared_error(output: jax.Array, target: jax.Array) -> jax.Array:
    """Computes the mean over an example's elements of `(output - target)^2`; shape (B,).

    Args:
      output, target: (B, …), same shape.

    Examples:
      >>> squared_error(jnp.array([[1.0, 5.0]]), jnp.array([[1.0, 2.0]]))
      Array([4.5], dtype=float32)
    """
    checks.floats("B …", output=output, target=target)
    return _mean(jnp.square(at_least_float32(output) - at_least_float32(target)))


def bernoulli_cross_entropy(logits: jax.Array, target: jax.Array) -> jax.Array:
    """Computes the mean cross-entropy of an example's elements, Bernoullis, in nats; shape (B,).

    Of an element, `-t log p - (1 - t) log(1 - p)` with `p = sigmoid(logit)`, computed from the
    logits without overflow. Targets between 0 and 1 are allowed; the minimum is then the entropy of
    the target.

    Args:
      logits: (B, …).
      target: (B, …), in [0, 1].

    Examples:
      >>> bernoulli_cross_entropy(jnp.zeros((1, 2)), jnp.array([[0.0, 1.0]])) / jnp.log(2.0)
      Array([1.], dtype=float32)
    """
    checks.floats("B …", logits=logits, target=target)
    checks.within("target", target, 0, 1)
    logits, target = at_least_float32(logits), at_least_float32(target)
    return _mean(softplus(logits) - logits * target)


def label_cross_entropy(
    logits_BxC: jax.Array, label_B: jax.Array, *, label_smoothing: float = 0.0
) -> jax.Array:
    """Computes `-log softmax(logits)[label]`, in nats, (B,).

    Label smoothing takes the cross-entropy from `1 - label_smoothing` of the label and
    `label_smoothing` of the uniform distribution over all C (Szegedy et al. 2016, Rethinking the
    Inception architecture, section 7).

    Args:
      logits_BxC: of C classes.
      label_B: int32, in 0 … C - 1; others raise `ValueError` where they are known, and give NaN
        elsewhere.
      label_smoothing: in [0, 1).

    Examples:
      >>> label_cross_entropy(jnp.zeros((1, 4)), jnp.array([2])) / jnp.log(4.0)
      Array([1.], dtype=float32)
    """
    checks.integers("B", checks.floats("B C", logits_BxC=logits_BxC), label_B=label_B)
    checks.indices("label_B", label_B, logits_BxC.shape[1])
    checks.number("label_smoothing", label_smoothing, 0, below=1)
    logits_BxC = at_least_float32(logits_BxC)
    index_B = jnp.where(label_B < 0, logits_BxC.shape[1], label_B)  # none counts from the end
    of_label_B = jnp.take_along_axis(logits_BxC, index_B[:, None], -1, mode="fill")[:, 0]
    if label_smoothing:
        mean_B = logits_BxC.mean(-1)
        of_label_B = (1 - label_smoothing) * of_label_B + label_smoothing * mean_B
    return jax.nn.logsumexp(logits_BxC, -1) - of_label_B


def _mean(x: jax.Array) -> jax.Array:
    return sum_elements(x, weight=1 / math.prod(x.shape[1:]))
