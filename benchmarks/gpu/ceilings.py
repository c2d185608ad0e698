"""What the device can do at most, by JAX: products of large squares, memory, launches."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.harness.child import Timed
from benchmarks.harness.training import device_name

_RUNS = 5
_LAUNCHES = 1000
_PRODUCTS = {  # dtype and precision of the products
    "float32": (jnp.float32, "highest"),
    "tf32": (jnp.float32, "default"),
    "bfloat16": (jnp.bfloat16, "default"),
}


def rates(width: int, repeats: int) -> Timed:
    """Sets up the row `ceilings_jax`.

    Its result: `gemm_flops` a second of squares of `width` by precision, `copy_bytes` a second
    (read and written), seconds to dispatch a small program and to make a small step of a loop.
    Medians of 5 runs of `repeats` calls each, on random numbers.
    """

    def run() -> dict[str, Any]:
        return {
            "gemm_flops": {name: _gemm(width, repeats, *kind) for name, kind in _PRODUCTS.items()},
            "copy_bytes": _copy(width, repeats),
            "dispatch_seconds": _dispatch(),
            "loop_step_seconds": _loop_step(),
        }

    return Timed(run, info={"device": device_name()})


def _seconds(call: Callable[[], Any], calls: int) -> float:
    """Measures the median seconds of a call, of which `calls` are dispatched together."""
    jax.block_until_ready(call())
    runs = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        results = [call() for _ in range(calls)]
        jax.block_until_ready(results[-1])
        runs.append((time.perf_counter() - start) / calls)
    return median(runs)


def _gemm(width: int, repeats: int, dtype: Any, precision: str) -> float:
    keys = jax.random.split(jax.random.key(0))
    a, b = (jax.random.normal(key, (width, width), dtype) for key in keys)
    product = jax.jit(lambda a, b: jnp.matmul(a, b, precision=precision))
    return 2.0 * width**3 / _seconds(lambda: product(a, b), repeats)


def _copy(width: int, repeats: int) -> float:
    x = jax.random.normal(jax.random.key(0), (4 * width, width))  # 1 GiB at full size
    more = jax.jit(lambda x: x + 1)
    return 2.0 * x.nbytes / _seconds(lambda: more(x), repeats)


def _dispatch() -> float:
    x, more = jnp.zeros(()), jax.jit(lambda x: x + 1)
    return _seconds(lambda: more(x), _LAUNCHES)


def _loop_step() -> float:
    # The barrier keeps a step a kernel of its own.
    def step(_: Any, x: jax.Array) -> jax.Array:
        return jax.lax.optimization_barrier(jnp.sin(x))

    loop = jax.jit(lambda x: jax.lax.fori_loop(0, _LAUNCHES, step, x))
    x = jnp.ones((128,))
    return _seconds(lambda: loop(x), 1) / _LAUNCHES
