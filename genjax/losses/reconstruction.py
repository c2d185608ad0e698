"""Reconstruction losses: how far an output is from its target, one float32 value an example."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from genjax.losses.precision import sum_elements, wide


def squared_error(output: jax.Array, target: jax.Array) -> jax.Array:
    """Mean over an example's elements of `(output - target)^2`; shape (B,).

    Args:
      output, target: (B, …), same shape.
    """
    _same_shape(output, target)
    return _mean(jnp.square(wide(output) - wide(target)))


def bernoulli_cross_entropy(logits: jax.Array, target: jax.Array) -> jax.Array:
    """Mean over an example's elements of the cross-entropy between Bernoullis, in nats; shape (B,).

    `-t log p - (1 - t) log(1 - p)` with `p = sigmoid(logit)`, computed from the logits without
    overflow. Targets between 0 and 1 are allowed; the minimum is then the entropy of the target.

    Args:
      logits: (B, …).
      target: (B, …), in [0, 1].
    """
    _same_shape(logits, target)
    logits, target = wide(logits), wide(target)
    return _mean(_softplus(logits) - logits * target)


@jax.custom_jvp
def _softplus(x: jax.Array) -> jax.Array:
    """log(1 + exp(x)), with the sigmoid as its derivative instead of a second softplus's parts."""
    return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


@_softplus.defjvp
def _softplus_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> Any:
    return _softplus(*primals), jax.nn.sigmoid(primals[0]) * tangents[0]


def _mean(x: jax.Array) -> jax.Array:
    return sum_elements(x, weight=1 / math.prod(x.shape[1:]))


def _same_shape(a: jax.Array, b: jax.Array) -> None:
    if a.shape != b.shape:
        raise ValueError(f"output and target must have the same shape, not {a.shape} and {b.shape}")
