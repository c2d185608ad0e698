"""How samples are drawn and judged, by the kind of the data."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from genjax.core.family import DataSpec

_NUM_JUDGED = 2500  # samples, as PacGAN scores
_NUM_JUDGED_STACKED = 26_000  # as published for its 1,000 modes
_MIXTURES = ("ring", "grid")
_STACKED = "stacked_digits"
_MODE_SCORES = ("modes", "high_quality", "reverse_kl", "reverse_kl_high_quality")
_STACKED_SCORES = _MODE_SCORES[:3]


def picture(config: ConfigDict, spec: DataSpec) -> Callable[[np.ndarray], np.ndarray] | None:
    """A function from samples (n, …) to an image (H, W, C) uint8: a grid or a scatter plot."""
    if spec.kind == "image" and spec.shape[-1] in (1, 3):
        from genjax.plots.grid import image_grid

        return image_grid
    if spec.kind == "point" and spec.shape == (2,):
        return lambda samples: _scatter(config.data.name, samples)
    return None


def pairs(spec: DataSpec) -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
    """A function from examples and reconstructions, both (n, …), to an image of them in pairs."""
    if spec.kind != "image" or spec.shape[-1] not in (1, 3):
        return None
    from genjax.plots.grid import reconstruction_grid

    return reconstruction_grid


def mode_scorer(config: ConfigDict) -> Callable[[np.ndarray], dict[str, Any]] | None:
    """A function from samples of a known mixture to its mode scores; None for other data."""
    if config.data.name in _MIXTURES:
        return lambda samples: _mode_scores(config.data.name, samples)
    return _stacked_judge(config.data) if config.data.name == _STACKED else None


def mode_score_names(config: ConfigDict) -> tuple[str, ...]:
    """The names of the numbers that `judge` gives."""
    if config.data.name == _STACKED:
        return _STACKED_SCORES
    return _MODE_SCORES if config.data.name in _MIXTURES else ()


def num_judged(config: ConfigDict) -> int:
    """How many samples are judged once a run is trained."""
    return _NUM_JUDGED_STACKED if config.data.name == _STACKED else _NUM_JUDGED


def _stacked_judge(data: ConfigDict) -> Callable[[np.ndarray], dict[str, Any]]:
    """Modes of stacked digits, by the classifier of single digits that genjax trains."""
    from genjax.data import cache
    from genjax.data.image import stacked_digits

    @functools.cache
    def classifier() -> Any:
        from genjax.evaluation.image.extractors import own_classifier

        return own_classifier(stacked_digits.single(data), cache.root(data.cache_dir))[0]

    def score(samples: np.ndarray) -> dict[str, Any]:
        from genjax.evaluation.modes import stacked_mode_scores

        channels = np.moveaxis(samples, -1, 1)
        each = classifier().probabilities(channels.reshape(-1, *channels.shape[2:], 1))
        scores = stacked_mode_scores(each.reshape(*channels.shape[:2], -1))
        return {n: np.asarray(scores[n]).item() for n in _STACKED_SCORES}

    return score


def _mode_scores(name: str, samples: np.ndarray) -> dict[str, Any]:
    from genjax.data.toy import mixtures
    from genjax.evaluation.modes import mode_scores

    scores = mode_scores(samples, mixtures.centers(name), mixtures.SIGMA[name])
    return {n: np.asarray(scores[n]).item() for n in _MODE_SCORES}


def _scatter(name: str, samples: np.ndarray) -> np.ndarray:
    from genjax.plots.points import plot_points

    if name not in _MIXTURES:
        return plot_points(samples)
    from genjax.data.toy import mixtures

    return plot_points(samples, mixtures.centers(name), sigma=mixtures.SIGMA[name])
