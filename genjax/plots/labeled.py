"""Grids of images whose rows and columns say what they are, and maps of codes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from genjax.plots.figure import LABEL, new_figure, plain, set_title, text_width, to_array, wrapped
from genjax.plots.grid import image_grid

_LINE = 18  # pixels
_GAP = 8
_LEAST = 260  # width of a figure
_MOST_CLASSES = 20  # with a color of their own
_MAP = (560, 480)  # pixels
_LONGEST = 24  # letters of a name


def plot_grid(
    images_NxHxWxC: Any,
    columns: int,
    *,
    title: str,
    rows: Sequence[str] = (),
    tops: Sequence[str] = (),
    xlabel: str = "",
    ylabel: str = "",
) -> np.ndarray:
    """Draws a grid of images, first to last, with a name for each row and each column.

    Args:
      images_NxHxWxC: see `genjax.plots.grid.image_grid`; none of their pixels is resampled.
      columns: images in a row.
      title: above; in several lines if need be.
      rows, tops: names of the rows, and of the columns; empty: they have none.
      xlabel, ylabel: below, and at the left.

    Returns:
      uint8 (height, width, 3).
    """
    grid = image_grid(images_NxHxWxC, columns=columns)
    high, wide = grid.shape[:2]
    probe = new_figure(100, 100, None)
    named = [_short(name) for name in rows]
    left = _GAP + max((text_width(probe, name, LABEL) for name in named), default=0) + _GAP
    left += _LINE if ylabel else 0
    width = int(max(wide + left + _GAP, _LEAST))
    head = wrapped(probe, title, width - 2 * _GAP)
    above = _GAP + _LINE * (head.count("\n") + 1) + (_LINE if tops else _GAP // 2)
    below = _GAP + (_LINE if xlabel else 0)
    height = above + high + below
    figure = new_figure(width, height, None)
    figure.text(0.5, 1 - _GAP / 2 / height, head, ha="center", va="top", fontsize=11)
    place = (left / width, below / height, wide / width, high / height)
    axes = figure.add_axes(place, xlim=(0, wide), ylim=(high, 0), frame_on=False)
    axes.imshow(
        grid,
        cmap="gray",
        vmin=0,
        vmax=255,
        interpolation="nearest",
        aspect="auto",
        extent=(0, wide, high, 0),
    )
    across, down = (wide / columns, high / max(len(rows), 1))
    axes.set_xticks([(i + 0.5) * across for i in range(len(tops))], list(map(plain, tops)))
    axes.set_yticks([(i + 0.5) * down for i in range(len(rows))], list(map(plain, named)))
    axes.tick_params(length=0, labelsize=LABEL, pad=3, top=False, labeltop=True, labelbottom=False)
    if tops:  # names that are wider than their column get smaller
        widest = max(text_width(figure, t, LABEL) for t in tops)
        axes.tick_params(axis="x", labelsize=min(LABEL, LABEL * (across - 2) / widest))
    middle = place[0] + place[2] / 2
    if xlabel:
        figure.text(middle, _GAP / 2 / height, plain(xlabel), ha="center", fontsize=LABEL)
    if ylabel:
        figure.text(
            _GAP / 2 / width,
            place[1] + place[3] / 2,
            plain(ylabel),
            rotation=90,
            va="center",
            fontsize=LABEL,
        )
    return to_array(figure)


def side_by_side(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Puts pictures, uint8 (height, width, 3), beside each other, their lower edges in line."""
    high = max(len(x) for x in pictures)
    padded = [
        np.pad(x, ((high - len(x), 0), (0, 0), (0, 0)), constant_values=255) for x in pictures
    ]
    return np.concatenate(padded, axis=1)


def plot_codes(
    points_Nx2: Any, label_N: Any, names: Sequence[str], *, title: str, xlabel: str, ylabel: str
) -> np.ndarray:
    """Draws points in the plane in the color of their class, with a legend.

    Classes beyond the 20 most frequent ones are gray, and so are numbers that no class has.

    Args:
      points_Nx2: the points.
      label_N: the number of each one's class.
      names: of the classes; empty: the points have none, and one color.
      title, xlabel, ylabel: what they are.

    Returns:
      uint8 (height, width, 3).
    """
    points, label = np.asarray(points_Nx2, np.float64), np.asarray(label_N)
    if points.ndim != 2 or points.shape[1] != 2 or label.shape != points.shape[:1]:
        raise ValueError(f"points {points.shape}, labels {label.shape}: must be (N, 2) and (N,)")
    figure = new_figure(_MAP[0] + (180 if names else 0), _MAP[1])
    axes = figure.add_subplot()
    style: dict[str, Any] = {"s": 8, "alpha": 0.7, "linewidths": 0}
    named = (label >= 0) & (label < len(names))
    counts = np.bincount(label[named], minlength=len(names))
    shown = sorted(np.argsort(-counts, kind="stable")[:_MOST_CLASSES].tolist())
    other = ~np.isin(label, shown)
    entries: list[str] = []
    handles: list[Any] = []
    if not names:
        axes.scatter(*points.T, **style, color="tab:blue")
    elif other.any():
        entries.append("others" if not named.all() else f"{len(names) - len(shown)} others")
        handles.append(axes.scatter(*points[other].T, **style, color="lightgray"))
    for i, number in enumerate(shown):
        color = f"C{i}" if len(shown) <= 10 else _twenty(i)
        entries.append(plain(_short(names[number])))
        handles.append(axes.scatter(*points[label == number].T, **style, color=color))
    axes.set(xlabel=plain(xlabel), ylabel=plain(ylabel))
    axes.grid(alpha=0.3)
    set_title(axes, title, _MAP[0] - 60)
    if names:
        # By hand: of what is drawn with a label Matplotlib leaves out names that begin with "_".
        place: dict[str, Any] = {"loc": "outside right center", "title": "class"}
        figure.legend(handles, entries, fontsize=LABEL, markerscale=2.5, **place)
    return to_array(figure)


def _twenty(i: int) -> Any:
    from matplotlib import colormaps

    return colormaps["tab20"](i)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
