"""The Inception score's form, of any classifier's probabilities; only InceptionV3 gives the score.

Source: Salimans et al. 2016, "Improved techniques for training GANs", arXiv:1606.03498, section 4.
"""

import itertools

import numpy as np

from genjax.core.config import ConfigError


def inception_score(
    probabilities_NxK: np.ndarray, *, splits: int = 10, seed: int = 2020
) -> dict[str, float]:
    """Computes exp(E_x KL(p(y|x) || p(y))) of `splits` parts, whose sizes differ by one at most.

    1 where all samples look alike to the classifier, K where it is sure of each and all classes are
    equally frequent.

    Args:
      probabilities_NxK: of K classes; rows sum to 1.
      splits: how many parts, at most N.
      seed: of the order in which samples go to parts. Number and defaults are torch-fidelity's.

    Returns:
      `inception_score`, the mean over the parts, and `inception_score_std` over them.
    """
    p = np.asarray(probabilities_NxK, np.float64)
    if p.ndim != 2 or not 1 <= splits <= len(p):
        raise ConfigError(f"probabilities {p.shape}: must be (N, K), N at least splits={splits}")
    p = p[np.random.RandomState(seed).permutation(len(p))]
    bounds = [i * len(p) // splits for i in range(splits + 1)]
    scores = [_score(p[start:end]) for start, end in itertools.pairwise(bounds)]
    return {
        "inception_score": float(np.mean(scores)),
        "inception_score_std": float(np.std(scores)),
    }


def _score(p: np.ndarray) -> float:
    tiny = np.finfo(np.float64).tiny  # 0 log 0 = 0
    log_ratio = np.log(np.maximum(p, tiny)) - np.log(np.maximum(p.mean(axis=0), tiny))
    return float(np.exp((p * log_ratio).sum(axis=1).mean()))
