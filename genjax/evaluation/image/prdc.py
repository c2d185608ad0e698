"""How far samples stay within the real set, and how much of it they reach, by nearest neighbors.

Sources: Kynkäänniemi et al. 2019, "Improved precision and recall metric for assessing generative
models", arXiv:1904.06991, equations 1 and 2; Naeem et al. 2020, "Reliable fidelity and diversity
metrics for generative models", arXiv:2002.09797, equations 3 and 5. Float64 NumPy.
"""

from collections.abc import Iterator

import numpy as np

from genjax.core.config import ConfigError

_BLOCK = 1024  # rows of the matrix of distances that exist at a time


def prdc(real_NxD: np.ndarray, fake_MxD: np.ndarray, *, k: int = 5) -> dict[str, float]:
    """Computes precision, recall, density and coverage.

    The ball of a feature reaches to its k-th nearest neighbor in its own set, itself not counted.

        precision  share of fake features within the ball of some real one
        recall     share of real features within the ball of some fake one
        density    number of real balls that a fake feature is in, over k, on average; may exceed 1
        coverage   share of real features in whose ball there is a fake one

    Args:
      real_NxD, fake_MxD: features, more than k each. One that is not finite is in no ball.
      k: which neighbor; the papers take 3 (precision, recall) and 5 (density, coverage).

    Raises:
      ConfigError: shapes do not fit, or there are too few features for k.
    """
    real, fake = np.asarray(real_NxD, np.float64), np.asarray(fake_MxD, np.float64)
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise ConfigError(f"features {real.shape}, {fake.shape}: must be (N, D), (M, D)")
    fewest = min(len(real), len(fake))
    if not 1 <= k < fewest:
        raise ConfigError(f"k={k}: must be 1 to {fewest - 1}, below the number of features")
    # Distances do not change, and what the matrix products below cancel becomes small.
    finite = np.isfinite(real).all(axis=1)
    center = real[finite].mean(axis=0) if finite.any() else 0.0
    real, fake = real - center, fake - center
    real_radius_N, fake_radius_M = _squared_radius(real, k), _squared_radius(fake, k)
    precise = balls = 0
    recalled_N, nearest_N = np.zeros(len(real), bool), np.full(len(real), np.inf)
    for rows, squared_BxN in _squared_distances(fake, real):
        inside = squared_BxN <= real_radius_N
        precise += inside.any(axis=1).sum()
        balls += inside.sum()
        recalled_N |= (squared_BxN <= fake_radius_M[rows, None]).any(axis=0)
        nearest_N = np.fmin(nearest_N, np.fmin.reduce(squared_BxN, axis=0))
    return {
        "precision": float(precise / len(fake)),
        "recall": float(recalled_N.mean()),
        "density": float(balls / (k * len(fake))),
        "coverage": float((nearest_N <= real_radius_N).mean()),
    }


def _squared_radius(x: np.ndarray, k: int) -> np.ndarray:
    """Computes the squared distance of each row to its k-th nearest other row."""
    radius = np.empty(len(x))
    for rows, squared in _squared_distances(x, x):
        # Place 0 is the row itself.
        radius[rows] = np.partition(squared, k, axis=1)[:, k]
    return radius


def _squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields |a_i - b_j|^2 = |a_i|^2 - 2 a_i.b_j + |b_j|^2, some rows at a time."""
    square_a, square_b = (np.einsum("nd,nd->n", x, x) for x in (a, b))
    for start in range(0, len(a), _BLOCK):
        rows = slice(start, start + _BLOCK)
        squared = square_a[rows, None] - 2.0 * (a[rows] @ b.T) + square_b
        yield rows, np.maximum(squared, 0.0)
