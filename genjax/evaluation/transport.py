"""Exact optimal transport between samples: what a critic's estimate can be held against.

Source: Peyré and Cuturi 2019 (Computational optimal transport), sections 2.1 to 2.4 and 2.6.
Float64 SciPy. Between equally many samples of equal weight some optimal plan moves each sample as a
whole (Birkhoff), so an assignment is exact. Samples of other numbers or weights need a linear
program (POT's `ot.emd2`), and many thousands an approximation (its entropic `ot.sinkhorn2`).
"""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from genjax.core.config import ConfigError


def wasserstein_distance(x_NxD: np.ndarray, y_NxD: np.ndarray, *, order: int = 1) -> float:
    """Computes the distance W_p between two samples, with the Euclidean one as ground cost.

        W_p = (min over permutations s of mean_i |x_i - y_s(i)|^p)^(1/p)

    It is the distance between the samples, not that between what they were drawn from: that of two
    samples of one distribution is above zero, and falls as slowly as N^(-1/D) for D above 2. The
    memory is that of an N x N matrix and the time grows as N^3 (2 s for N = 2000); in one dimension
    the sorted samples are the optimal pairs, whatever N.

    Args:
      x_NxD, y_NxD: the samples, equally many, at least one.
      order: p, at least 1.

    Returns:
      The distance, in the units of the samples; NaN where some value is not finite.

    Raises:
      ConfigError: shapes differ or are not (N, D), or `order` is below 1.
    """
    x, y = np.asarray(x_NxD, np.float64), np.asarray(y_NxD, np.float64)
    if x.shape != y.shape or x.ndim != 2 or not x.size:
        raise ConfigError(f"samples {x.shape}, {y.shape}: must be (N, D) both, N and D above 0")
    if order < 1:
        raise ConfigError(f"order={order}: must be at least 1")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return float("nan")
    if x.shape[1] == 1:
        moved = np.abs(np.sort(x, axis=0) - np.sort(y, axis=0))
    else:
        distances = cdist(x, y)
        moved = distances[linear_sum_assignment(distances**order)]
    return float(np.mean(moved**order) ** (1 / order))
