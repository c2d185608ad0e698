"""The machine's float32 matrix product rate by XLA: of large squares and of a row's own shapes."""

import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.harness.child import Timed
from benchmarks.harness.training import device_name

_SQUARE = 2048
_REPEATS = 12  # of each shape, dispatched together so that starting one hides behind another


def rates(shapes: Sequence[Sequence[float]], square: int = _SQUARE) -> Timed:
    """Makes a side that measures: `square_flops` a second, and `shapes_seconds`.

    Args:
      shapes: (m, k, n, number) of each product of one unit of the row.
      square: width of the large square matrices.
    """
    product = jax.jit(jnp.matmul)
    keys = jax.random.split(jax.random.key(0), 2)
    pairs = [
        (jax.random.normal(keys[0], (int(m), int(k))), jax.random.normal(keys[1], (int(k), int(n))))
        for m, k, n, _ in [(square, square, square, 1), *shapes]
    ]

    def seconds(pair: tuple[jax.Array, jax.Array], repeats: int) -> float:
        start = time.perf_counter()
        jax.block_until_ready([product(*pair) for _ in range(repeats)])
        return (time.perf_counter() - start) / repeats

    def run() -> dict[str, Any]:
        # The best of three: what disturbs a product only ever slows it down.
        best = min(seconds(pairs[0], 1) for _ in range(3))
        own = [min(seconds(p, _REPEATS) for _ in range(3)) for p in pairs[1:]]
        return {
            "square_flops": 2.0 * square**3 / best,
            "shapes_seconds": sum(s * shape[3] for s, shape in zip(own, shapes)),
        }

    run()
    return Timed(run, info={"square": square, "device": device_name()})
