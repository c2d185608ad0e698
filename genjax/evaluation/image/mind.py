"""The sliced Wasserstein distance of two sets of features; over InceptionV3's it is the MIND.

Source: Berthet et al. 2026, "MIND: Monge Inception Distance for generative models evaluation",
arXiv:2605.06797. Float64 NumPy.
"""

import numpy as np

from genjax.core.config import ConfigError

PROJECTIONS = 1000
_BLOCK = 50  # projections whose sorted values exist at a time


def monge_distance(
    real_NxD: np.ndarray, fake_MxD: np.ndarray, *, projections: int = PROJECTIONS, seed: int = 2020
) -> float:
    """Computes the mean squared Wasserstein-2 distance along random directions, times 3 D.

        3 D / (P n) sum_p sum_i (x_(i)^p - y_(i)^p)^2

    x_(i)^p is the i-th smallest of the n projections of one set onto the p-th of P directions,
    which are uniform on the unit sphere of D dimensions. Of the larger set as many features as the
    smaller one has are drawn, without replacement. A shift by v has the value 3 |v|^2, on average
    over directions. Like the Fréchet distance, it has a bias that falls with n.

    Args:
      real_NxD, fake_MxD: features.
      projections: P.
      seed: of directions and draw: equal sets have equal numbers.

    Returns:
      The distance, at least 0; NaN where some feature is not finite.
    """
    real, fake = np.asarray(real_NxD, np.float64), np.asarray(fake_MxD, np.float64)
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise ConfigError(f"features {real.shape}, {fake.shape}: must be (N, D), (M, D)")
    n = min(len(real), len(fake))
    if n < 1 or projections < 1:
        raise ConfigError(f"{n} features, projections={projections}: must be at least 1 each")
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        return float("nan")
    rng = np.random.RandomState(seed)  # whose stream never changes with NumPy's version
    real, fake = (x if len(x) == n else x[rng.permutation(len(x))[:n]] for x in (real, fake))
    total = 0.0
    for start in range(0, projections, _BLOCK):
        directions_PxD = rng.randn(min(_BLOCK, projections - start), real.shape[1])
        directions_PxD /= np.linalg.norm(directions_PxD, axis=1, keepdims=True)
        x_Pxn, y_Pxn = (np.sort(directions_PxD @ z.T, axis=1) for z in (real, fake))
        total += float(np.sum((x_Pxn - y_Pxn) ** 2))
    return 3 * real.shape[1] * total / (projections * n)
