"""Kernel distance between two sets of features; over InceptionV3's features it is the KID.

Source: Binkowski et al. 2018, "Demystifying MMD GANs", arXiv:1801.01401, section 4. Float64 NumPy.
"""

import numpy as np

from genjax.core.config import ConfigError


def kernel_distance(
    real_NxD: np.ndarray,
    fake_MxD: np.ndarray,
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    seed: int = 2020,
) -> dict[str, float]:
    """Averages the unbiased squared MMD with k(x, y) = (x.y / D + 1)^3 over random subsets.

    Unlike the Fréchet distance it has no bias from the number of features, and may be negative.

    Args:
      real_NxD, fake_MxD: features.
      subsets: how many pairs of subsets are drawn.
      subset_size: features in each, at most N and M, at least 2.
      seed: of the draw. Number and defaults are torch-fidelity's, and so are the subsets.

    Returns:
      `kid`, and `kid_std`, the standard deviation over the subsets; NaN where some feature is not
        finite, drawn or not.
    """
    real, fake = np.asarray(real_NxD, np.float64), np.asarray(fake_MxD, np.float64)
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise ConfigError(f"features {real.shape}, {fake.shape}: must be (N, D), (M, D)")
    fewest = min(len(real), len(fake))
    if not 2 <= subset_size <= fewest:
        raise ConfigError(f"subset_size={subset_size}: must be 2 to {fewest}, the fewest features")
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        return {"kid": float("nan"), "kid_std": float("nan")}
    # Its stream never changes with NumPy's version, unlike that of default_rng.
    rng = np.random.RandomState(seed)
    values = [
        _squared_mmd(_draw(rng, fake, subset_size), _draw(rng, real, subset_size))
        for _ in range(subsets)
    ]
    return {"kid": float(np.mean(values)), "kid_std": float(np.std(values))}


def _draw(rng: np.random.RandomState, features: np.ndarray, size: int) -> np.ndarray:
    return features[rng.choice(len(features), size, replace=False)]


def _squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """Computes the unbiased estimate: without the pairs of a feature with itself."""

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / a.shape[1] + 1.0) ** 3

    def mean_of_pairs(k: np.ndarray) -> float:
        return (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))

    within = mean_of_pairs(kernel(x, x)) + mean_of_pairs(kernel(y, y))
    return float(within - 2.0 * kernel(x, y).mean())
