"""Scatter plots; that they look right is for eyes, that they show the data is tested."""

import subprocess
import sys

import numpy as np
import pytest

from genjax.plots.points import plot_points

GRID = np.stack(np.meshgrid(*[np.arange(-4.0, 5.0, 2.0)] * 2), axis=-1).reshape(-1, 2)


def blue(picture):
    """Pixels of the samples' color: how much of them is seen."""
    red, green, blue = np.moveaxis(picture.astype(int), -1, 0)
    return int(((blue - red > 60) & (blue - green > 25)).sum())


def true_samples(n):
    rng = np.random.RandomState(0)
    return GRID[rng.randint(25, size=n)] + 0.05 * rng.randn(n, 2)


def test_samples_show_and_collapsed_ones_show_less():
    samples = true_samples(1000)
    full = plot_points(samples, GRID, sigma=0.05, size=400)
    collapsed = plot_points(
        samples[np.all(np.abs(samples) < 1, axis=1)], GRID, sigma=0.05, size=400
    )
    assert full.dtype == np.uint8
    assert full.shape == (400, 400, 3)
    assert blue(full) > 5 * blue(collapsed) > 0


def test_the_view_follows_the_centers_and_not_stray_samples():
    samples = true_samples(1000)
    stray = np.concatenate([samples, [[1e6, 0], [np.nan, 0], [np.inf, 1]]])
    clean, with_stray = (plot_points(s, GRID, sigma=0.05, size=400) for s in (samples, stray))
    assert blue(with_stray) == blue(clean)
    assert (with_stray != clean).any()  # the note of how many lie outside


@pytest.mark.parametrize("density", [False, True])
@pytest.mark.parametrize("sigma", [None, 0.05, 0.0001])
def test_every_style_draws(density, sigma):
    empty = plot_points(np.full((1, 2), np.nan), GRID, sigma=sigma, density=density, size=200)
    drawn = plot_points(true_samples(500), GRID, sigma=sigma, density=density, size=200)
    assert (drawn != empty).any()


def test_samples_without_centers_fill_the_view():
    assert blue(plot_points(1000 + true_samples(500), size=200)) > 100


def test_only_points_of_the_plane_are_taken():
    with pytest.raises(ValueError, match=r"samples .5, 3.: must be"):
        plot_points(np.zeros((5, 3)))


def test_plots_load_matplotlib_late_and_leave_its_global_state_alone():
    program = """
import sys
import numpy as np
import genjax.plots.grid, genjax.plots.labeled, genjax.plots.points
assert "matplotlib" not in sys.modules and "PIL" not in sys.modules
genjax.plots.points.plot_points(np.zeros((3, 2)))
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
