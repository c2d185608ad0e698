"""What losses share: one rule for the precision of reductions, and a softplus."""

from typing import Any

import jax
import jax.numpy as jnp


def wide(x: jax.Array) -> jax.Array:
    """`x` in at least float32, so that bfloat16 compute still sums in float32; float64 stays."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def sum_elements(x: jax.Array, weight: float = 1.0) -> jax.Array:
    """Sum of `weight * x` over all axes but the first; shape (B,).

    A matrix product, as XLA's CPU backend fuses a plain reduction with the arithmetic in front of
    it into one scalar loop: 7 ms instead of 0.3 ms for the cross-entropy of 100k pixels.
    """
    x = x.reshape(x.shape[0], -1)
    weights = jnp.full((x.shape[1],), weight, x.dtype)
    return jnp.dot(x, weights, precision=jax.lax.Precision.HIGHEST)


@jax.custom_jvp
def softplus(x: jax.Array) -> jax.Array:
    """log(1 + exp(x)), with the sigmoid as its derivative instead of a second softplus's parts."""
    return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


@softplus.defjvp
def _softplus_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> Any:
    return softplus(*primals), jax.nn.sigmoid(primals[0]) * tangents[0]
