"""Rows of heads on Fashion-MNIST's pixels: one support vector machine, and grids of them.

`svm_linear` is one fit at one C. A grid fits its candidates without every fifth example, and scores
them on those; nothing is fitted again. Both sides stop at their own rule: ours at a duality gap of
1e-4 of the objective, liblinear and LIBSVM at their default tolerances, at which their objectives
are equal to 1e-4. Ours keeps LAPACK to one thread (OPENBLAS_NUM_THREADS): on two cores its two
wait by spinning, and a Cholesky factor takes longer.
"""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.harness import fashion
from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.row import Row, ours, peers
from benchmarks.harness.sides import Side
from genjax import heads
from genjax.engine.compilation_cache import enable_compilation_cache

_LINEAR: dict[str, Any] = {"num_examples": 60_000, "C": 0.01}
_GRID: dict[str, Any] = {
    "num_examples": 10_000, "C": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0],
}  # fmt: skip
_RBF: dict[str, Any] = {
    "num_examples": 4_000, "C": [0.3, 1.0, 3.0, 10.0, 30.0], "gamma": [0.003, 0.01, 0.03, 0.1],
}  # fmt: skip
_SIZE = 784


def rows() -> list[Row]:
    """Makes the rows `svm_linear`, `svm_grid` and `svm_grid_rbf`."""
    needs = str(fashion.folder())
    n = _RBF["num_examples"]
    shared: dict[str, Any] = {"rounds": 3, "needs": needs}
    peer = "scikit-learn"
    return [
        Row(
            "svm_linear",
            peer,
            "fit of 60,000 x 784, squared hinge",
            _ours(linear, _LINEAR, "Newton"),
            _peers("linear", "one_job two_jobs", _LINEAR),
            settings=_LINEAR,
            **shared,
        ),
        Row(
            "svm_grid",
            peer,
            "10 values of C, 8,000 of 10,000 x 784",
            _ours(grid, _GRID, "Newton"),
            _peers("grid", "one_job two_jobs", _GRID),
            settings=_GRID,
            **shared,
        ),
        Row(
            "svm_grid_rbf",
            peer,
            "5 values of C, 4 of gamma, 3,200 of 4,000 x 784",
            _ours(grid, _RBF, "dual blocks"),
            _peers("grid", "one_job two_jobs", _RBF),
            products=(Product(n, _SIZE, n),),
            settings=_RBF,
            **shared,
        ),
    ]


def linear(num_examples: int, *, C: float) -> Timed:
    """Sets up our side of `svm_linear`."""
    x, y = _data(num_examples)
    fit = jax.jit(lambda x, y: heads.linear_svm(x, y, fashion.CLASSES, C))

    def run() -> float:
        head = heads.require_converged(fit(x, y))
        return float(head.objective.sum())

    return Timed(run, info={"settings": f"sum of objectives {run():.6g}"})


def grid(num_examples: int, *, C: list[float], gamma: list[float] | None = None) -> Timed:
    """Sets up our side of the grids."""
    x, y = _data(num_examples)
    fold = jnp.arange(num_examples) % 5
    size = int(np.bincount(y).max())
    options: dict[str, Any] = {}
    if gamma is not None:
        options = {"kernel": heads.RBF(jnp.array(gamma)), "class_size": size}
    search = jax.jit(lambda x, y: heads.grid(x, y, fashion.CLASSES, jnp.array(C), fold, **options))

    def run() -> float:
        found = search(x, y)
        return float(found.accuracy.max())

    return Timed(run, info={"settings": f"best accuracy {run():.4f}"})


def _data(number: int) -> tuple[jax.Array, jax.Array]:
    enable_compilation_cache()
    x, y = fashion.pixels(number)
    return jnp.asarray(x), jnp.asarray(y)


def _ours(function: Any, arguments: dict[str, Any], label: str) -> Side:
    return replace(ours(function, arguments, label), env={"OPENBLAS_NUM_THREADS": "1"})


def _peers(function: str, modes: str, arguments: dict[str, Any]) -> Any:
    return peers(f"sklearn_svm:{function}", modes, arguments, ("scikit-learn",))
