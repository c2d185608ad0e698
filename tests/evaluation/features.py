"""Seeded features and probabilities, and what torch-fidelity makes of them.

`GOLDEN` was computed by torch-fidelity 0.4.0 (torch 2.13.0, NumPy 2.4) on these arrays:

    python -m tests.evaluation.features

prints it again where torch-fidelity is installed, and test_against_torch_fidelity.py compares.
"""

import numpy as np

GOLDEN = {
    "fid": 0.9784533116237668,
    "kid": 0.6301961515973373,
    "kid_std": 0.1638626961914763,
    "inception_score": 2.546261215980178,
    "inception_score_std": 0.1198180867890775,
    "precision": 0.84,
    "recall": 0.725,
}


def real(n: int = 400, dim: int = 24) -> np.ndarray:
    """Correlated features (n, dim), float32, with a mean far from 0, as ReLU features have."""
    return _features(0, n, dim, 0.0)


def fake(n: int = 300, dim: int = 24) -> np.ndarray:
    """As `real`, elsewhere and less spread."""
    return 0.9 * _features(1, n, dim, 0.3)


def logits(n: int = 300, classes: int = 10) -> np.ndarray:
    return 2.0 * np.random.RandomState(2).randn(n, classes).astype(np.float32)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x.astype(np.float64) - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _features(seed: int, n: int, dim: int, shift: float) -> np.ndarray:
    mixing = np.random.RandomState(10).randn(dim, dim) / np.sqrt(dim)
    x = np.random.RandomState(seed).randn(n, dim) @ mixing
    return (np.maximum(x + 1.0 + shift, 0.0)).astype(np.float32)


def torch_fidelity_numbers() -> dict[str, float]:
    """The numbers of torch-fidelity, under our names."""
    import torch
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    # Samples first, as its version 0.4 wants them; float64, so that only the method can differ.
    a, b = (torch.from_numpy(x.astype(np.float64)) for x in (fake(), real()))
    statistics = [fid_features_to_statistics(x) for x in (a, b)]
    fid = fid_statistics_to_metric(*statistics, verbose=False)
    kid = kid_features_to_metric(
        a,
        b,
        kid_subsets=100,
        kid_subset_size=100,
        kid_degree=3,
        kid_gamma=None,
        kid_coef0=1,
        rng_seed=2020,
        verbose=False,
    )
    isc = isc_features_to_metric(torch.from_numpy(logits()), 10, True, 2020)
    prc = prc_features_to_metric(
        a, b, prc_neighborhood=3, prc_batch_size=10000, save_cpu_ram=False, verbose=False
    )
    found = fid | kid | isc | prc
    names = {
        "fid": "frechet_inception_distance",
        "kid": "kernel_inception_distance_mean",
        "kid_std": "kernel_inception_distance_std",
        "inception_score": "inception_score_mean",
        "inception_score_std": "inception_score_std",
        "precision": "precision",
        "recall": "recall",
    }
    return {ours: float(found[theirs]) for ours, theirs in names.items()}


if __name__ == "__main__":
    print(torch_fidelity_numbers())
