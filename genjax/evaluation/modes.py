"""How many modes of a known mixture samples cover, and how well, as PacGAN scores it."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core.config import ConfigError


def mode_scores(
    samples_Nx2: Any, centers_Mx2: Any, sigma: float, num_stds: float = 3.0
) -> dict[str, jax.Array]:
    """Scores samples against a mixture of M equally likely Gaussians N(center, sigma² I). Pure.

    Every sample belongs to its nearest center (Euclidean). It is of high quality where it lies
    within `num_stds * sigma` of it: true samples do with probability 1 - exp(-num_stds²/2) in 2-D,
    which is 0.989 for three. A mode is found where it holds at least one sample of high quality.
    With p the share of samples at each mode,

        reverse KL = KL(p || uniform) = log M - H(p)  in nats, between 0 and log M.

    The paper assigns all samples to their nearest mode for p (Lin et al. 2018, "PacGAN: The power
    of two samples in generative adversarial networks", arXiv:1712.04086) and scores 2,500 samples;
    the program that its authors published counts those of high quality only. The first is
    `reverse_kl`, the second `reverse_kl_high_quality`, which is log M, its largest value, where
    there are none.

    Args:
      samples_Nx2: N samples, at least one. One that is not finite is never of high quality.
      centers_Mx2: the M distinct centers, in the units of the samples; not traced, if they are to
        be checked.
      sigma: standard deviation of every mode, in the same units.
      num_stds: radius of high quality in standard deviations.

    Returns:
      `modes` (int32), `high_quality` (share of the samples), `reverse_kl`,
      `reverse_kl_high_quality`, `counts` and `counts_high_quality` (int32, M each).

    Raises:
      ConfigError: two centers coincide or shapes do not fit.
    """
    samples, centers = jnp.asarray(samples_Nx2), jnp.asarray(centers_Mx2)
    if samples.ndim != 2 or centers.ndim != 2 or samples.shape[1] != centers.shape[1]:
        shapes = f"samples {samples.shape}, centers {centers.shape}"
        raise ConfigError(f"{shapes}: must be (N, 2), (M, 2)")
    if not isinstance(centers_Mx2, jax.core.Tracer):
        require_distinct(np.asarray(centers_Mx2))
    return _scores(samples, centers, sigma, num_stds)


def require_distinct(centers_Mxd: np.ndarray) -> None:
    """Raises `ConfigError` where centers coincide, up to rounding (1e-6 of their spread).

    A ring laid out by `linspace(0, 2*pi, 8)` has its last center on its first: seven modes.
    """
    centers = np.asarray(centers_Mxd, np.float64)
    tolerance = 1e-6 * max(float(np.ptp(centers)), 1e-30)
    distances = np.linalg.norm(centers[:, None] - centers[None], axis=-1)
    first, second = np.nonzero(np.triu(distances <= tolerance, k=1))
    if first.size:
        raise ConfigError(
            f"centers: number {first[0]} and number {second[0]} coincide at "
            f"{centers[first[0]].tolist()}; all {len(centers)} must be distinct"
        )


@jax.jit
def _scores(
    samples: jax.Array, centers: jax.Array, sigma: Any, num_stds: Any
) -> dict[str, jax.Array]:
    # Differences, not |x|² - 2xc + |c|²: that cancels in float32 where sigma is 0.01.
    squared_NxM = jnp.sum((samples[:, None] - centers[None]) ** 2, axis=-1)
    nearest_N = jnp.argmin(squared_NxM, axis=1)
    good_N = jnp.sqrt(jnp.min(squared_NxM, axis=1)) <= num_stds * sigma
    member_NxM = nearest_N[:, None] == jnp.arange(centers.shape[0])
    counts = jnp.sum(member_NxM, axis=0, dtype=jnp.int32)
    counts_good = jnp.sum(member_NxM & good_N[:, None], axis=0, dtype=jnp.int32)
    return {
        "modes": jnp.sum(counts_good > 0, dtype=jnp.int32),
        "high_quality": jnp.mean(good_N, dtype=squared_NxM.dtype),
        "reverse_kl": _kl_from_uniform(counts, squared_NxM.dtype),
        "reverse_kl_high_quality": _kl_from_uniform(counts_good, squared_NxM.dtype),
        "counts": counts,
        "counts_high_quality": counts_good,
    }


@jax.jit
def stacked_mode_scores(
    probabilities_NxCxK: jax.Array, confident: float = 0.9
) -> dict[str, jax.Array]:
    """Scores samples of C channels, each of which a classifier of K classes has judged.

    The mode of a sample is the most probable class of each channel, one of M = K^C; a mode is found
    where it holds at least one sample. With p the share of samples at each mode,

        reverse KL = KL(p || uniform) = log M - H(p)  in nats.

    Its expectation for N samples of a perfect generator is not 0 but about (M - 1) / (2 N): 0.019
    for the 26,000 samples and 1,000 modes of the paper (Lin et al. 2018, "PacGAN", section 4.2).

    Args:
      probabilities_NxCxK: of the classes of each channel.
      confident: a sample is of high quality where the classifier's largest probability is above
        this in every channel.

    Returns:
      `modes` (int32), `high_quality` (share of the samples), `reverse_kl`.
    """
    _, channels, classes = probabilities_NxCxK.shape
    best_NxC = jnp.argmax(probabilities_NxCxK, axis=-1)
    mode_N = (best_NxC * classes ** jnp.arange(channels)[::-1]).sum(-1)
    counts = jnp.bincount(mode_N, length=classes**channels)
    return {
        "modes": jnp.sum(counts > 0, dtype=jnp.int32),
        "high_quality": jnp.mean(probabilities_NxCxK.max(-1).min(-1) > confident),
        "reverse_kl": _kl_from_uniform(counts, jnp.float32),
    }


def _kl_from_uniform(counts_M: jax.Array, dtype: Any) -> jax.Array:
    p = counts_M / jnp.maximum(jnp.sum(counts_M), 1).astype(dtype)
    negative_entropy = jnp.sum(jnp.where(p > 0, p * jnp.log(jnp.where(p > 0, p, 1.0)), 0.0))
    return jnp.maximum(jnp.log(jnp.asarray(counts_M.shape[0], dtype)) + negative_entropy, 0.0)
