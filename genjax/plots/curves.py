"""Curves of a run's metrics over its steps."""

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from genjax.engine.writers import read_metrics
from genjax.plots.figure import new_figure, set_title, to_array

_PANEL = (480, 300)  # pixels
_COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red")


def plot_curves(
    path: str | os.PathLike[str], *, names: Sequence[str] | None = None, columns: int = 2
) -> np.ndarray:
    """One panel for each metric of a `metrics.jsonl`, with a curve for each split.

    `train/loss` and `eval/loss` share the panel `loss`. A population shows the median over its
    members and the band between the 10th and 90th percentile. Values that are not finite leave
    gaps.

    Args:
      path: a `metrics.jsonl`.
      names: panels, in their order; None: all, as they first appear.
      columns: panels in a row.

    Returns:
      uint8 (height, width, 3).

    Raises:
      ValueError: the file has no metrics, or none of a name in `names` (those it has are told).
    """
    panels = _panels(read_metrics(path))
    if not panels:
        raise ValueError(f"{path}: has no metrics")
    for name in names or ():
        if name not in panels:
            raise ValueError(f"{path}: has no metric {name!r}; it has {', '.join(panels)}")
    chosen = list(names or panels)
    columns = min(columns, len(chosen))
    rows = math.ceil(len(chosen) / columns)
    figure = new_figure(_PANEL[0] * columns, _PANEL[1] * rows)
    for i, name in enumerate(chosen):
        axes = figure.add_subplot(rows, columns, i + 1)
        for color, (split, points) in zip(_COLOURS, panels[name].items()):
            steps = sorted(points)
            draw_curve(axes, steps, [points[step] for step in steps], label=split, color=color)
        set_title(axes, name, _PANEL[0])
        axes.set(xlabel="step")
        axes.grid(alpha=0.3)
        if any(panels[name]):
            axes.legend()
    return to_array(figure)


def draw_curve(axes: Any, steps: Sequence[int], values: Sequence[Any], **style: Any) -> None:
    """Draws numbers, or the median over members and the band of their 10th to 90th percentile.

    Args:
      axes: Matplotlib's.
      steps: (T,).
      values: (T,) or (T, members); those that are not finite leave gaps.
      **style: of the curve, `color` among it.
    """
    members = [np.atleast_1d(np.asarray(value, np.float64)) for value in values]
    # Not finite to NaN: an infinity would stretch the axis over everything.
    members = [np.where(np.isfinite(m), m, np.nan) for m in members]
    low, middle, high = np.transpose([_percentiles(m) for m in members])
    # A curve of one point is invisible without its marker.
    axes.plot(steps, middle, marker="o" if len(steps) < 20 else None, markersize=3, **style)
    if any(m.size > 1 for m in members):
        axes.fill_between(steps, low, high, alpha=0.2, linewidth=0, color=style["color"])


def _panels(rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[int, Any]]]:
    """`{metric: {split: {step: value}}}`; a name without a slash has the split `""`."""
    panels: dict[str, dict[str, dict[int, Any]]] = {}
    for row in rows:
        for full_name, value in row.items():
            if full_name in ("step", "wall_seconds") or isinstance(value, str):
                continue
            split, _, name = full_name.rpartition("/")
            panels.setdefault(name, {}).setdefault(split, {})[row["step"]] = value
    return panels


def _percentiles(members: np.ndarray) -> tuple[float, float, float]:
    if np.isnan(members).all():
        return (np.nan,) * 3
    low, middle, high = np.nanpercentile(members, [10, 50, 90])
    return low, middle, high
