"""Samples of 2-D mixtures against the centers of their modes."""

from typing import Any

import numpy as np

from genjax.plots.figure import new_figure, set_title, to_array

_DENSE = 20_000  # points; with more, single ones no longer show and a density does
_BINS = 200


def plot_points(
    samples_Nx2: Any,
    centers_Mx2: Any | None = None,
    *,
    sigma: float | None = None,
    num_stds: float = 3.0,
    density: bool | None = None,
    title: str = "",
    size: int = 600,
) -> np.ndarray:
    """Draws samples in a square, with the radius of high quality around each center.

    The view spans the centers with a margin of a quarter, whatever the samples do, so pictures of
    one mixture can be compared; samples beyond it are counted in the corner. Without centers it
    spans the samples.

    Args:
      samples_Nx2: samples; those that are not finite count as beyond the view.
      centers_Mx2: centers of the modes, drawn as circles of radius `num_stds * sigma`, or as
        crosses where that is smaller than they are or `sigma` is None.
      sigma: standard deviation of each mode.
      num_stds: radius of high quality in standard deviations.
      density: a 2-D histogram (log scale) instead of points; None: above 20,000 samples.
      title: above the picture.
      size: width and height in pixels.

    Returns:
      uint8 (size, size, 3).

    Raises:
      ValueError: samples or centers are not (N, 2).
    """
    figure = new_figure(size, size)
    radius = (sigma or 0.0) * num_stds
    draw_points(figure.add_subplot(), samples_Nx2, centers_Mx2, radius, density=density)
    set_title(figure.axes[0], title, size)
    return to_array(figure)


def draw_points(
    axes: Any,
    samples_Nx2: Any,
    centers_Mx2: Any | None,
    radius: float,
    *,
    density: bool | None = None,
) -> None:
    """Draws what `plot_points` does on Matplotlib's `axes`; circles have the given radius."""
    samples = _points("samples", samples_Nx2)
    centers = None if centers_Mx2 is None else _points("centers", centers_Mx2)
    low, high = _view(samples if centers is None else centers)
    inside = np.all((samples >= low) & (samples <= high), axis=1)  # False for NaN
    density = len(samples) > _DENSE if density is None else density
    _draw_samples(axes, samples[inside], low, high, density)
    if centers is not None:
        _draw_centers(axes, centers, radius)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    if outside := len(samples) - int(inside.sum()):
        note = f"{outside} of {len(samples)} samples lie outside"
        axes.text(0.02, 0.02, note, transform=axes.transAxes, color="tab:red")


def _points(name: str, x: Any) -> np.ndarray:
    x = np.asarray(x, np.float64)
    if x.ndim != 2 or x.shape[1] != 2 or not len(x):
        raise ValueError(f"{name} {x.shape}: must be (N, 2) with N > 0")
    return x


def _view(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns corners of the square around the finite points with its margin."""
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        points = np.zeros((1, 2))
    low, high = points.min(axis=0), points.max(axis=0)
    half = 0.625 * max(float((high - low).max()), 1e-6)
    return (low + high) / 2 - half, (low + high) / 2 + half


def _draw_samples(axes: Any, samples: np.ndarray, low: Any, high: Any, density: bool) -> None:
    if not density:
        axes.scatter(*samples.T, s=4, alpha=0.5, linewidths=0, color="tab:blue")
        return
    edges = np.linspace(low, high, _BINS + 1).T
    counts = np.histogram2d(samples[:, 0], samples[:, 1], bins=list(edges))[0].T
    # NaN leaves empty bins white: a single sample shows.
    axes.pcolormesh(*edges, np.where(counts > 0, np.log1p(counts), np.nan), cmap="viridis_r")


def _draw_centers(axes: Any, centers: np.ndarray, radius: float) -> None:
    spread = max(float(np.ptp(centers)), 1e-6)
    if radius < 0.01 * spread:  # a circle of a pixel or two tells less than a cross
        axes.scatter(*centers.T, s=60, marker="+", linewidths=0.8, color="black")
        return
    angle = np.linspace(0, 2 * np.pi, 65)[:, None]
    x, y = centers[:, 0] + radius * np.cos(angle), centers[:, 1] + radius * np.sin(angle)
    axes.plot(x, y, linewidth=0.8, color="black")  # a column is a circle
