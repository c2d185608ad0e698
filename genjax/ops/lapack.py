"""LAPACK on a CPU without the deadlock of jaxlib's batched calls.

A batched QR, Cholesky, LU or triangular solve hands its matrices to the threads that XLA computes
with, and its own thread waits for them. When as many such calls of one program are ready as there
are threads, all of them wait and none computes: the program hangs for good without using a core
(jaxlib 0.10.2; on two cores, two recurrent matrices under `jax.vmap` are enough). A call of one
matrix computes in its own thread.
"""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import jax

from genjax.ops.platform import platform

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def one_by_one(f: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Returns `f` of arrays as `jax.vmap` should see it: on a CPU a loop over the batch.

    Elsewhere, where batches have kernels of their own, it is `f`.
    """
    return jax.custom_batching.sequential_vmap(f) if platform() == "cpu" else f
