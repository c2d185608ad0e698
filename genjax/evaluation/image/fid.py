"""The Fréchet distance between two sets of features; over InceptionV3's features it is the FID.

Source: Heusel et al. 2017, "GANs trained by a two time-scale update rule converge to a local Nash
equilibrium", arXiv:1706.08500, equation 6. Float64 NumPy: sums over features cancel in float32.
"""

from typing import NamedTuple

import numpy as np

from genjax.core.config import ConfigError


class Moments(NamedTuple):
    """Mean and scatter of the features seen so far: the same, up to rounding, for any batching.

    Attributes:
      n: number of features.
      mean: (D,) float64.
      scatter: (D, D) float64, the sum of (x - mean)(x - mean)^T.
    """

    n: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of(cls, features_NxD: np.ndarray) -> "Moments":
        """Computes the moments of N features, at least one."""
        x = np.asarray(features_NxD, np.float64)
        if x.ndim != 2 or not len(x):
            raise ConfigError(f"features {x.shape}: must be (N, D) with N at least 1")
        mean = x.mean(axis=0)
        return cls(len(x), mean, (x - mean).T @ (x - mean))

    def joined(self, other: "Moments") -> "Moments":
        """Joins two sets by the pairwise update (Chan, Golub and LeVeque 1983)."""
        n = self.n + other.n
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.n / n)
        between = np.outer(apart, apart) * (self.n * other.n / n)
        return Moments(n, mean, self.scatter + other.scatter + between)

    def covariance(self) -> np.ndarray:
        """Computes the unbiased estimate (D, D); needs two features."""
        if self.n < 2:
            raise ConfigError(f"{self.n} features: a covariance needs at least 2")
        return self.scatter / (self.n - 1)


def frechet_distance(a: Moments, b: Moments) -> float:
    """Computes the squared Wasserstein-2 distance of the Gaussians of `a` and of `b`.

        |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))

    With S = R R^T for each, the trace of the root is the nuclear norm of R_a^T R_b: its singular
    values are the roots of the eigenvalues of S_a S_b, and a singular S (fewer features than
    dimensions) does no harm. The distance is at least 0 up to rounding; NaN where some feature was
    not finite.

    Raises:
      ConfigError: the dimensions differ, or one has fewer than two features.
    """
    if a.mean.shape != b.mean.shape:
        dims = f"{len(a.mean)} and {len(b.mean)}"
        raise ConfigError(f"features of {dims} dimensions: must be of the same extractor")
    s_a, s_b = a.covariance(), b.covariance()
    if not (np.isfinite(s_a).all() and np.isfinite(s_b).all()):
        return float("nan")
    root = np.linalg.svd(_root(s_a).T @ _root(s_b), compute_uv=False).sum()
    mean = np.sum((a.mean - b.mean) ** 2)
    return float(mean + np.trace(s_a) + np.trace(s_b) - 2 * root)


def _root(covariance: np.ndarray) -> np.ndarray:
    """Returns R with R R^T = `covariance`."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))
