"""A scan whose kernels' gradients are one matrix product each."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

Times = Callable[[str, jax.Array], jax.Array]


def product(a: jax.Array, kernel_DxG: jax.Array) -> jax.Array:
    """`a @ kernel` of a (…, D), in the dtype of the kernel; summed in at least float32.

    Flat, as XLA's CPU backend copies the factors of a gradient that have more axes than two.
    """
    a_NxD = a.reshape(-1, a.shape[-1]).astype(kernel_DxG.dtype)
    y_NxG = jnp.matmul(a_NxD, kernel_DxG, preferred_element_type=_wide(kernel_DxG))
    return y_NxG.reshape(*a.shape[:-1], -1)


def scan_products(
    step: Callable[[Times, Any, Any, Any], tuple[Any, Any]],
    kernels: Mapping[str, jax.Array], shared: Any, first: Any, xs: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """`jax.lax.scan` of a step that multiplies by kernels: the last carry, and all outputs.

    Automatic differentiation of a scan adds up the gradient of a kernel step by step: a small
    product each time, and all of the sum read and written. Here both factors of these products are
    kept, and one product follows the backward scan. Differentiable once, in reverse mode.

    Args:
      step: `step(times, shared, carry, x) -> (carry, y)`, where `times(name, a_BxD)` is
        `product(a_BxD, kernels[name])`, called once for each of them. It closes over no arrays.
      kernels: matrices (D, G).
      shared: arrays that all steps see.
      first: the carry before the first step, each (B, …).
      xs: arrays (T, …).
    """
    return _scan(step, dict(kernels), shared, first, xs)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _scan(step: Any, kernels: Any, shared: Any, first: Any, xs: Any) -> Any:
    def one(carry: Any, x: Any) -> Any:
        return step(lambda name, a: product(a, kernels[name]), shared, carry, x)

    return jax.lax.scan(one, first, xs)


def _forward(step: Any, kernels: Any, shared: Any, first: Any, xs: Any) -> Any:
    def run(zeros: Any, shared: Any, first: Any, xs: Any) -> Any:
        def one(carry: Any, inputs: Any) -> Any:
            x, zero = inputs
            factors: dict[str, jax.Array] = {}

            def times(name: str, a_BxD: jax.Array) -> jax.Array:
                factors[name] = a_BxD.astype(kernels[name].dtype)
                return product(a_BxD, kernels[name]) + zero[name]

            carry, y = step(times, shared, carry, x)
            return carry, (y, factors)

        last, (ys, factors) = jax.lax.scan(one, first, (xs, zeros))
        return (last, ys), factors

    # The gradient of what is added to a product is that of the product.
    steps, rows = len(jax.tree.leaves(xs)[0]), len(jax.tree.leaves(first)[0])
    zeros = {n: jnp.zeros((steps, rows, k.shape[1]), _wide(k)) for n, k in kernels.items()}
    out, pull, factors = jax.vjp(run, zeros, shared, first, xs, has_aux=True)
    return out, (pull, factors, kernels)


def _backward(step: Any, residuals: Any, cotangents: Any) -> Any:
    pull, factors, kernels = residuals
    d_products, *rest = pull(cotangents)

    def gradient(name: str, kernel: jax.Array) -> jax.Array:
        factors_NxD, d_NxG = (a.reshape(-1, a.shape[-1]) for a in (factors[name], d_products[name]))
        found = jnp.matmul(
            factors_NxD.T, d_NxG.astype(kernel.dtype), preferred_element_type=_wide(kernel)
        )
        return found.astype(kernel.dtype)

    return {name: gradient(name, kernel) for name, kernel in kernels.items()}, *rest


_scan.defvjp(_forward, _backward)


def _wide(x: jax.Array) -> Any:
    return jnp.promote_types(x.dtype, jnp.float32)
