"""Histograms of latents against the prior that they were trained towards."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from genjax.plots.figure import new_figure, set_title, to_array

_PANEL = (240, 180)  # pixels
_REACH = 4.0  # standard deviations of the prior that a panel shows


def plot_latents(
    draws_NxZ: Any, *, titles: Sequence[str] | None = None, columns: int = 4
) -> np.ndarray:
    """Draws a panel a latent: the histogram of its draws, and the standard normal density.

    Draws beyond four standard deviations of the prior count in the outermost bins.

    Args:
      draws_NxZ: draws from the posteriors of N examples, one each.
      titles: of the panels; None: the numbers of the latents.
      columns: panels in a row.

    Returns:
      uint8 (height, width, 3).
    """
    draws = np.asarray(draws_NxZ, np.float64)
    if draws.ndim != 2 or not draws.size:
        raise ValueError(f"draws {draws.shape}: must be (N, Z) with N and Z above 0")
    number = draws.shape[1]
    columns = min(columns, number)
    rows = math.ceil(number / columns)
    figure = new_figure(_PANEL[0] * columns, _PANEL[1] * rows)
    edges, x = np.linspace(-_REACH, _REACH, 41), np.linspace(-_REACH, _REACH, 201)
    for i in range(number):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.hist(np.clip(draws[:, i], -_REACH, _REACH), edges, density=True, color="tab:blue")
        axes.plot(x, np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi), color="black", linewidth=1)
        set_title(axes, titles[i] if titles else f"latent {i}", _PANEL[0])
        axes.set(yticks=[])
        if i >= number - columns:
            axes.set(xlabel="value")
        if i % columns == 0:
            axes.set(ylabel="density")
    return to_array(figure)
