"""Layer normalization with a gradient that is quick on CPU."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from genjax.ops.platform import lowering


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def normalize(
    x: jax.Array, scale_D: jax.Array, bias_D: jax.Array | None, epsilon: float, centered: bool
) -> jax.Array:
    """Computes `scale * (x - mean) / sqrt(variance + epsilon) + bias` over the last axis.

    Sources: Ba et al. 2016 (Layer normalization), equation 4; not `centered`, Zhang and Sennrich
    2019 (Root mean square layer normalization), equation 4, where `mean` is 0.

    The gradient is written out: it keeps the normalized features and one number a row, and its sums
    over rows are matrix products on CPU, where XLA makes one scalar loop of a plain sum and the
    arithmetic in front of it. The function can be differentiated in reverse mode only, its gradient
    in both modes.

    Args:
      x: (…, D), float32 or wider.
      scale_D: multiplies the normalized features.
      bias_D: added at the end, unless None.
      epsilon: added to the variance.
      centered: whether the mean is subtracted.
    """
    y: jax.Array = _forward(x, scale_D, bias_D, epsilon, centered)[0]
    return y


def _forward(x: jax.Array, scale_D: jax.Array, bias_D: Any, epsilon: float, centered: bool) -> Any:
    if centered:
        x = x - x.mean(-1, keepdims=True)
    factor = jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + epsilon)
    normal = x * factor
    y = normal * scale_D
    return y if bias_D is None else y + bias_D, (normal, factor, scale_D, bias_D)


def _backward(epsilon: float, centered: bool, residuals: Any, d_y: jax.Array) -> Any:
    normal, factor, scale_D, bias_D = residuals
    d_normal = d_y * scale_D
    d_x = d_normal - normal * (d_normal * normal).mean(-1, keepdims=True)
    if centered:
        d_x -= d_normal.mean(-1, keepdims=True)
    d_scale_D = _sum_rows(jax.lax.optimization_barrier(normal * d_y))
    return factor * d_x, d_scale_D, None if bias_D is None else _sum_rows(d_y)


def _sum_rows(x: jax.Array) -> jax.Array:
    """Computes the sum over all axes but the last, (D,)."""
    rows_NxD = x.reshape(-1, x.shape[-1])
    if lowering("sums") == "stock":
        return rows_NxD.sum(0)
    return jnp.matmul(jnp.ones(len(rows_NxD), x.dtype), rows_NxD, precision="highest")


normalize.defvjp(_forward, _backward)
