"""Scans: unrolled where rounds are launched, and one whose kernels' gradients are one product."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from genjax.ops.platform import lowering
from genjax.ops.precision import at_least_float32_dtype, kernel_gradient, matmul

# More makes few launches fewer, and compiling longer: 12 s without, 31 s with, of an LSTM.
_UNROLL = 16
_UNROLL_PRODUCTS = 8  # its steps are longer: of one with attention 39 kernels, 27 to keep results
Times = Callable[[str, jax.Array], jax.Array]


def scan(
    step: Callable[[Any, Any], Any],
    first: Any,
    xs: Any,
    *,
    reverse: bool = False,
    at_once: int = _UNROLL,
) -> Any:
    """Runs `jax.lax.scan`, on accelerators `at_once` rounds at once.

    There a round of a recurrent network takes less time than its launches: what reads and writes
    the round's slices, and counts, becomes part of neighboring kernels. On CPU it stays one round,
    the bits of which do not depend on how XLA fuses several.
    """
    steps = len(jax.tree.leaves(xs)[0])
    unroll = max(min(at_once, steps), 1) if lowering("recurrence") == "unrolled" else 1
    return jax.lax.scan(step, first, xs, reverse=reverse, unroll=unroll)


def scan_products(
    step: Callable[[Times, Any, Any, Any], tuple[Any, Any]],
    kernels: Mapping[str, jax.Array],
    shared: Any,
    first: Any,
    xs: Any,
) -> tuple[Any, Any]:
    """Runs `scan` of a step that multiplies by kernels: the last carry, and all outputs.

    Automatic differentiation of a scan adds up the gradient of a kernel step by step: a small
    product each time, and all of the sum read and written. Here both factors of these products are
    kept, and one product follows the backward scan. It can be differentiated once, in reverse mode.

    Args:
      step: `step(times, shared, carry, x) -> (carry, y)`, where `times(name, a_BxD)` is
        `matmul(a_BxD, kernels[name])`, called once for each of them. It closes over no arrays.
      kernels: matrices (D, G).
      shared: arrays that all steps see.
      first: the carry before the first step, each (B, …).
      xs: arrays (T, …).
    """
    last, ys = _scan(step, dict(kernels), shared, first, xs)
    return last, ys


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _scan(step: Any, kernels: Any, shared: Any, first: Any, xs: Any) -> Any:
    def one(carry: Any, x: Any) -> Any:
        return step(lambda name, a: matmul(a, kernels[name]), shared, carry, x)

    return scan(one, first, xs, at_once=_UNROLL_PRODUCTS)


def _forward(step: Any, kernels: Any, shared: Any, first: Any, xs: Any) -> Any:
    def run(zeros: Any, shared: Any, first: Any, xs: Any) -> Any:
        def one(carry: Any, inputs: tuple[Any, dict[str, jax.Array]]) -> Any:
            x, zero = inputs
            factors: dict[str, jax.Array] = {}

            def times(name: str, a_BxD: jax.Array) -> jax.Array:
                factors[name] = a_BxD.astype(kernels[name].dtype)
                return matmul(a_BxD, kernels[name]) + zero[name]

            carry, y = step(times, shared, carry, x)
            return carry, (y, factors)

        last, (ys, factors) = scan(one, first, (xs, zeros), at_once=_UNROLL_PRODUCTS)
        return (last, ys), factors

    # The gradient of what is added to a product is that of the product.
    steps, rows = len(jax.tree.leaves(xs)[0]), len(jax.tree.leaves(first)[0])
    zeros = {
        n: jnp.zeros((steps, rows, k.shape[1]), at_least_float32_dtype(k.dtype))
        for n, k in kernels.items()
    }
    out, pull, factors = jax.vjp(run, zeros, shared, first, xs, has_aux=True)
    return out, (pull, factors, kernels)


def _backward(step: Any, residuals: Any, cotangents: Any) -> Any:
    pull, factors, kernels = residuals
    d_products, *rest = pull(cotangents)

    gradients = {n: kernel_gradient(factors[n], d_products[n], k) for n, k in kernels.items()}
    return gradients, *rest


_scan.defvjp(_forward, _backward)
