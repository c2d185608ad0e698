"""How samples are drawn and judged, by the kind of the data."""

from collections.abc import Callable
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from genjax.core.family import DataSpec

NUM_JUDGED = 2500  # samples, as PacGAN scores
_MIXTURES = ("ring", "grid")


def picture(config: ConfigDict, spec: DataSpec) -> Callable[[np.ndarray], np.ndarray] | None:
    """A function from samples (n, …) to an image (H, W, C) uint8: a grid or a scatter plot."""
    if spec.kind == "image" and spec.shape[-1] in (1, 3):
        from genjax.plots.grid import image_grid

        return image_grid
    if spec.kind == "point" and spec.shape == (2,):
        return lambda samples: _scatter(config.data.name, samples)
    return None


def judge(config: ConfigDict) -> Callable[[np.ndarray], dict[str, Any]] | None:
    """A function from samples of a known mixture to its mode scores; None for other data."""
    if config.data.name not in _MIXTURES:
        return None
    return lambda samples: _mode_scores(config.data.name, samples)


def _mode_scores(name: str, samples: np.ndarray) -> dict[str, Any]:
    from genjax.data import toy
    from genjax.evaluation.modes import mode_scores

    scores = mode_scores(samples, toy.centers(name), toy.SIGMA[name])
    return {n: np.asarray(v).item() for n, v in scores.items() if not n.startswith("counts")}


def _scatter(name: str, samples: np.ndarray) -> np.ndarray:
    from genjax.plots.points import plot_points

    if name not in _MIXTURES:
        return plot_points(samples)
    from genjax.data import toy

    return plot_points(samples, toy.centers(name), sigma=toy.SIGMA[name])
