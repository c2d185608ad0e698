"""Sums, products and a softplus in at least float32, in forms that XLA's CPU backend is fast at."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from genjax.ops.platform import lowering


def at_least_float32(x: jax.Array) -> jax.Array:
    """Returns `x` in at least float32, so that bfloat16 compute sums in float32; float64 stays."""
    return x.astype(at_least_float32_dtype(x.dtype))


def at_least_float32_dtype(dtype: Any) -> Any:
    """Returns float32 for dtypes of fewer bits, else the dtype itself."""
    return jnp.promote_types(dtype, jnp.float32)


def matmul(a: jax.Array, kernel_DxG: jax.Array) -> jax.Array:
    """Computes `a @ kernel` of a (…, D), in the dtype of the kernel; summed in at least float32.

    The product is flat, as XLA's CPU backend copies the factors of a gradient that have more axes
    than two.
    """
    a_NxD = a.reshape(-1, a.shape[-1]).astype(kernel_DxG.dtype)
    if kernel_DxG.dtype == at_least_float32_dtype(kernel_DxG.dtype):
        y_NxG = jnp.matmul(a_NxD, kernel_DxG)
    else:
        y_NxG = summed_wide("nd,dg->ng", a_NxD, kernel_DxG)
    return y_NxG.reshape(*a.shape[:-1], -1)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def summed_wide(spec: str, x: jax.Array, y: jax.Array) -> jax.Array:
    """Computes an einsum of two narrow arrays, as bfloat16 are, summed and returned in float32.

    Its gradients are such sums of the narrow dtype as well, where JAX would widen the operands to
    the result's float32: products of half the rate and twice the bytes on accelerators. It can be
    differentiated in reverse mode, any number of times.

    Args:
      spec: as `"nd,dg->ng"`; each index is in two of the three.
      x, y: of one dtype.
    """
    return jnp.einsum(spec, x, y, preferred_element_type=at_least_float32_dtype(x.dtype))


def _summed_wide(spec: str, x: jax.Array, y: jax.Array) -> Any:
    return summed_wide(spec, x, y), (x, y)


def _summed_wide_gradient(spec: str, factors: Any, d_result: jax.Array) -> Any:
    x, y = factors
    (of_x, of_y), of_result = spec.split("->")[0].split(","), spec.split("->")[1]
    d_result = d_result.astype(x.dtype)
    d_x = summed_wide(f"{of_result},{of_y}->{of_x}", d_result, y)
    d_y = summed_wide(f"{of_result},{of_x}->{of_y}", d_result, x)
    return d_x.astype(x.dtype), d_y.astype(y.dtype)


summed_wide.defvjp(_summed_wide, _summed_wide_gradient)


def kernel_gradient(a: jax.Array, d_product: jax.Array, kernel_DxG: jax.Array) -> jax.Array:
    """Computes the gradient of the kernel in `matmul(a, kernel)` from the product's (…, G)."""
    dtype = kernel_DxG.dtype
    a_NxD, d_NxG = (x.reshape(-1, x.shape[-1]).astype(dtype) for x in (a, d_product))
    return jnp.matmul(a_NxD.T, d_NxG, preferred_element_type=at_least_float32_dtype(dtype)).astype(
        dtype
    )


def dense(x: jax.Array, kernel_DxF: jax.Array, bias_F: jax.Array | None = None) -> jax.Array:
    """Computes `x @ kernel + bias` of x (…, D), all of one dtype.

    The product is flat, see `matmul`. A kernel that narrows is transposed first, which makes
    training the usual feed-forward layers (1,024 to 256 features, say) somewhat faster on CPU.
    """
    size, features = kernel_DxF.shape
    x_NxD = x.reshape(-1, size)
    if size > features:
        kernel_FxD = jax.lax.optimization_barrier(kernel_DxF.T)
        y = jax.lax.dot_general(x_NxD, kernel_FxD, (((1,), (1,)), ((), ())))
    else:
        y = x_NxD @ kernel_DxF
    y = y if bias_F is None else y + bias_F
    return y.reshape(*x.shape[:-1], features)


def sum_elements(x: jax.Array, weight: float = 1.0) -> jax.Array:
    """Computes the sum of `weight * x` over all axes but the first, (B,).

    On CPU it is a matrix product, as XLA fuses a plain reduction there with the arithmetic in front
    of it into one scalar loop: 7 ms instead of 0.3 ms for the cross-entropy of 100k pixels.
    """
    x = x.reshape(x.shape[0], -1)
    if lowering("sums") == "stock":
        return weight * x.sum(1)
    weights = jnp.full((x.shape[1],), weight, x.dtype)
    return jnp.dot(x, weights, precision=jax.lax.Precision.HIGHEST)


def gelu(x: jax.Array) -> jax.Array:
    """Computes `x P(N(0, 1) < x)`, by an erf: the erfc in `jax.nn.gelu` costs twice that on CPU."""
    return 0.5 * x * (1 + jax.lax.erf(x * 0.5**0.5))


@jax.custom_jvp
def softplus(x: jax.Array) -> jax.Array:
    """Computes log(1 + exp(x)); its derivative is one sigmoid, not a second softplus's parts."""
    return jnp.maximum(x, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(x)))


@softplus.defjvp
def _softplus_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> Any:
    return softplus(*primals), jax.nn.sigmoid(primals[0]) * tangents[0]
