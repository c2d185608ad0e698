"""Pictures of studies: panels side by side, uint8 (height, width, 3)."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from genjax.plots.figure import new_figure, set_title, text_width, to_array
from genjax.plots.points import draw_points

_WIDE, _SQUARE, _SMALL, _WEIGHTS = (480, 320), (300, 320), (240, 260), (240, 240)  # pixels
_LEVELS, _BINS, _MOST_POINTS = 16, 50, 1000  # of surfaces, of histograms
_BRIGHT = 0.6  # shares above are drawn so bright that their number is black
_HANDLE = 60  # of a legend's entry, with the space around it
_COLORS = (
    "tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown", "tab:pink",
    "tab:gray", "tab:olive", "tab:cyan",
)  # fmt: skip


def plot_series(
    panels: Mapping[str, Mapping[str, tuple[Any, Any]]],
    *,
    columns: int = 2,
    xlabel: str = "step",
    log: Collection[str] = (),
) -> np.ndarray:
    """Draws curves by method in each panel; a method has the same color in all of them.

    Args:
      panels: `{title: {method: (x, y)}}`, x (T,), y (T,) or (T, members): of members the median
        is drawn, and the band between their 10th and 90th percentile.
      columns: panels in a row.
      xlabel: below each panel.
      log: titles of the panels whose y axis is logarithmic.
    """
    methods = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    colors = {name: _COLORS[i % len(_COLORS)] for i, name in enumerate(methods)}
    figure, all_axes = _panels(list(panels), columns, _WIDE)
    for axes, (title, curves) in zip(all_axes, panels.items(), strict=True):
        for name, (x, y) in curves.items():
            _draw_curve(axes, x, y, label=name, color=colors[name])
        axes.set(xlabel=xlabel, yscale="log" if title in log else "linear")
        axes.grid(alpha=0.3)
    handles = dict(h for axes in all_axes for h in zip(*axes.get_legend_handles_labels()[::-1]))
    widest = max(text_width(figure, name, 10) for name in handles) + _HANDLE
    fit = int(figure.bbox.width // widest)  # a legend that is wider than its figure is cut
    ncols = max(1, min(6, fit, len(handles)))
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=ncols)
    return to_array(figure)


def plot_mixtures(samples: Mapping[str, Any], centers_Mx2: Any, sigma: float) -> np.ndarray:
    """Draws samples (N, 2) of a mixture by title, in the view of `plot_points`."""
    figure, all_axes = _panels(list(samples), 6, _SQUARE)
    for axes, points in zip(all_axes, samples.values(), strict=True):
        draw_points(axes, points, centers_Mx2, 3 * sigma)
        axes.set(xticks=[], yticks=[])
    return to_array(figure)


def plot_paths(paths: Mapping[str, Any], labels: tuple[str, str]) -> np.ndarray:
    """Draws paths in the plane (paths, T, 2) by title; a dot marks where each ends.

    Panels share their axes, which `labels` names.
    """
    figure, all_axes = _panels(list(paths), 4, _SQUARE)
    for axes, each in zip(all_axes, paths.values(), strict=True):
        for path in np.asarray(each, np.float64):
            (line,) = axes.plot(*path.T, linewidth=0.8)
            axes.scatter(*path[-1], s=16, color=line.get_color())
        axes.set(xlabel=labels[0], ylabel=labels[1], aspect="equal")
        axes.sharex(all_axes[0])
        axes.sharey(all_axes[0])
        axes.grid(alpha=0.3)
    return to_array(figure)


def plot_pictures(pictures: Mapping[str, np.ndarray]) -> np.ndarray:
    """Shows pictures uint8 (height, width, 1 or 3) by title."""
    figure, all_axes = _panels(list(pictures), 3, _SQUARE)
    for axes, picture in zip(all_axes, pictures.values(), strict=True):
        axes.imshow(picture, cmap="gray", vmin=0, vmax=255)
        axes.set_axis_off()
    return to_array(figure)


def plot_surfaces(
    surfaces: Mapping[str, Mapping[str, Any]], points: Mapping[str, Any], reach: float
) -> np.ndarray:
    """Draws level lines of functions on the square [-reach, reach]^2.

    Every panel has its own levels, at equal distances between its least and largest value.

    Args:
      surfaces: `{row: {column: value_GxG}}`, the first axis of a value pointing up and the second
        to the right, G points from edge to edge.
      points: `{row: points_Nx2}`, drawn into all panels of the row, the first 1000 of them.
      reach: half the side of the square.
    """
    cells = [(row, column) for row, values in surfaces.items() for column in values]
    columns = max(map(len, surfaces.values()))
    figure, all_axes = _panels([f"{row}, {column}" for row, column in cells], columns, _SMALL)
    for axes, (row, column) in zip(all_axes, cells, strict=True):
        value, shown = surfaces[row][column], np.asarray(points[row], np.float64)[:_MOST_POINTS]
        side = np.linspace(-reach, reach, len(value))
        axes.contourf(side, side, value, _LEVELS, cmap="viridis")
        axes.contour(side, side, value, _LEVELS, colors="black", linewidths=0.4)
        axes.scatter(*shown.T, s=2, linewidths=0, color="tab:red")
        limits = (-reach, reach)
        axes.set(aspect="equal", xticks=[], yticks=[], xlim=limits, ylim=limits)
    return to_array(figure)


def plot_weights(weights: Mapping[str, Any]) -> np.ndarray:
    """Draws histograms of weights by title, from the least to the largest of them."""
    figure, all_axes = _panels(list(weights), len(weights), _WEIGHTS)
    for axes, values in zip(all_axes, weights.values(), strict=True):
        axes.hist(np.ravel(values), _BINS, color="tab:blue")
        axes.set(xlabel="weight", yticks=[])
        axes.locator_params(axis="x", nbins=4)
    return to_array(figure)


def plot_matrices(matrices: Mapping[str, Any], labels: tuple[str, str]) -> np.ndarray:
    """Draws matrices of shares, each a square of numbers between 0 and 1, by title.

    Args:
      matrices: `{title: share_RxC}`.
      labels: of columns and rows.
    """
    figure, all_axes = _panels(list(matrices), 5, _SMALL)
    for axes, share in zip(all_axes, matrices.values(), strict=True):
        rows, columns = np.shape(share)
        axes.imshow(share, cmap="viridis", vmin=0, vmax=1)
        for (i, j), value in np.ndenumerate(np.asarray(share, np.float64)):
            color = "black" if value > _BRIGHT else "white"
            text = f"{100 * value:.0f}" if math.isfinite(value) else "?"
            axes.text(j, i, text, color=color, ha="center", va="center", fontsize=7)
        axes.set(xlabel=labels[0], ylabel=labels[1])
        axes.set_xticks(range(columns), range(1, columns + 1))
        axes.set_yticks(range(rows), range(1, rows + 1))
    return to_array(figure)


def _draw_curve(axes: Any, steps: Sequence[int], values: Sequence[Any], **style: Any) -> None:
    """Draws numbers (T,), or of (T, members) the median and the band; NaN leaves gaps."""
    members = [np.atleast_1d(np.asarray(value, np.float64)) for value in values]
    # Not finite to NaN: an infinity would stretch the axis over everything.
    members = [np.where(np.isfinite(m), m, np.nan) for m in members]
    low, middle, high = np.transpose([_percentiles(m) for m in members])
    # A curve of one point is invisible without its marker.
    axes.plot(steps, middle, marker="o" if len(steps) < 20 else None, markersize=3, **style)
    if any(m.size > 1 for m in members):
        axes.fill_between(steps, low, high, alpha=0.2, linewidth=0, color=style["color"])


def _percentiles(members: np.ndarray) -> tuple[float, float, float]:
    if np.isnan(members).all():
        return (np.nan,) * 3
    low, middle, high = np.nanpercentile(members, [10, 50, 90])
    return low, middle, high


def _panels(titles: Sequence[str], columns: int, size: tuple[int, int]) -> tuple[Any, list[Any]]:
    """Makes a figure with a panel of `size` for each title, in rows of `columns`."""
    columns = min(columns, len(titles))
    rows = math.ceil(len(titles) / columns)
    figure = new_figure(size[0] * columns, size[1] * rows)
    all_axes = [figure.add_subplot(rows, columns, i + 1) for i in range(len(titles))]
    for axes, title in zip(all_axes, titles, strict=True):
        set_title(axes, title, size[0])
    return figure, all_axes
