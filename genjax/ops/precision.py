"""What losses and models share: one rule for the precision of sums, products, and a softplus."""

from typing import Any

import jax
import jax.numpy as jnp


def at_least_float32(x: jax.Array) -> jax.Array:
    """`x` in at least float32, so that bfloat16 compute still sums in float32; float64 stays."""
    return x.astype(at_least_float32_dtype(x.dtype))


def at_least_float32_dtype(dtype: Any) -> Any:
    """At least float32."""
    return jnp.promote_types(dtype, jnp.float32)


def matmul(a: jax.Array, kernel_DxG: jax.Array) -> jax.Array:
    """`a @ kernel` of a (…, D), in the dtype of the kernel; summed in at least float32.

    Flat, as XLA's CPU backend copies the factors of a gradient that have more axes than two.
    """
    a_NxD = a.reshape(-1, a.shape[-1]).astype(kernel_DxG.dtype)
    y_NxG = jnp.matmul(
        a_NxD, kernel_DxG, preferred_element_type=at_least_float32_dtype(kernel_DxG.dtype)
    )
    return y_NxG.reshape(*a.shape[:-1], -1)


def kernel_gradient(a: jax.Array, d_product: jax.Array, kernel_DxG: jax.Array) -> jax.Array:
    """The gradient of the kernel in `product(a, kernel)`, from that of the product (…, G)."""
    dtype = kernel_DxG.dtype
    a_NxD, d_NxG = (x.reshape(-1, x.shape[-1]).astype(dtype) for x in (a, d_product))
    return jnp.matmul(a_NxD.T, d_NxG, preferred_element_type=at_least_float32_dtype(dtype)).astype(
        dtype
    )


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
