"""What a critic has learned: its value over the plane, and how its weights are distributed."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from genjax.plots.figure import new_figure, set_title, to_array

_PANEL = 240  # pixels
_LEVELS = 16
_BINS = 50
_MOST_POINTS = 1000


def plot_surfaces(
    surfaces: Mapping[str, Mapping[str, Any]], points: Mapping[str, Any], reach: float
) -> np.ndarray:
    """Level lines of functions on the square [-reach, reach]^2, one panel each.

    Every panel has its own levels, at equal distances between its least and largest value.

    Args:
      surfaces: `{row: {column: value_GxG}}`, the first axis of a value pointing up and the second
        to the right, G points from edge to edge.
      points: `{row: points_Nx2}`, drawn into all panels of the row, the first 1000 of them.
      reach: half the side of the square.

    Returns:
      uint8 (height, width, 3).
    """
    rows, columns = len(surfaces), max(map(len, surfaces.values()))
    figure = new_figure(_PANEL * columns, (_PANEL + 20) * rows)
    for i, (row, by_column) in enumerate(surfaces.items()):
        shown = np.asarray(points[row], np.float64)[:_MOST_POINTS]
        for j, (column, value) in enumerate(by_column.items()):
            axes = figure.add_subplot(rows, columns, 1 + i * columns + j)
            side = np.linspace(-reach, reach, len(value))
            axes.contourf(side, side, value, _LEVELS, cmap="viridis")
            axes.contour(side, side, value, _LEVELS, colors="black", linewidths=0.4)
            axes.scatter(*shown.T, s=2, linewidths=0, color="tab:red")
            set_title(axes, f"{row}, {column}", _PANEL)
            axes.set(
                aspect="equal", xticks=[], yticks=[],
                xlim=(-reach, reach), ylim=(-reach, reach),
            )  # fmt: skip
    return to_array(figure)


def plot_weights(weights: Mapping[str, Any]) -> np.ndarray:
    """Histograms of weights by title, one panel each, from the least to the largest of them.

    Returns uint8 (height, width, 3).
    """
    figure = new_figure(_PANEL * len(weights), _PANEL)
    for i, (title, values) in enumerate(weights.items()):
        axes = figure.add_subplot(1, len(weights), i + 1)
        axes.hist(np.ravel(values), _BINS, color="tab:blue")
        set_title(axes, title, _PANEL)
        axes.set(xlabel="weight", yticks=[])
        axes.locator_params(axis="x", nbins=4)
    return to_array(figure)
