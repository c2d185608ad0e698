"""Pictures of studies: that they show what they are given."""

import numpy as np

from experiments.pictures import plot_mixtures, plot_paths, plot_pictures, plot_series

STEPS = np.arange(30)


def colored(picture, rgb):
    """Pixels near a color."""
    return int((np.abs(picture.astype(int) - rgb).max(-1) < 40).sum())


def test_a_method_has_the_same_color_in_all_panels():
    orange = (255, 127, 14)
    up, down = np.linspace(0, 1, 30), np.linspace(1, 0, 30)
    both = plot_series({"a": {"x": (STEPS, up), "y": (STEPS, down)}, "b": {"y": (STEPS, up)}})
    one = plot_series({"a": {"x": (STEPS, up), "y": (STEPS, down)}, "b": {"x": (STEPS, up)}})
    assert both.dtype == np.uint8 and both.shape == (320, 960, 3)
    assert colored(both, orange) > 1.5 * colored(one, orange) > 0


def test_members_that_are_not_finite_leave_gaps():
    members = np.random.RandomState(0).rand(30, 4)
    members[10] = np.nan
    members[3, 1] = np.inf
    assert plot_series({"a": {"x": (STEPS, members)}}, log=["a"]).shape == (320, 480, 3)


def test_mixtures_paths_and_pictures_are_one_panel_each():
    points = np.random.RandomState(0).randn(100, 2)
    samples = {"collapsed": points * 0, "real": points, "lost": np.full((3, 2), np.nan)}
    assert plot_mixtures(samples, np.eye(2), 0.1).shape == (320, 900, 3)
    paths = {"cycle": np.stack([points, -points]), "point": np.zeros((1, 5, 2))}
    assert plot_paths(paths, labels=("generator", "critic")).shape == (320, 600, 3)
    gray, color = np.zeros((8, 8, 1), np.uint8), np.full((8, 8, 3), 200, np.uint8)
    assert plot_pictures({"gray": gray, "color": color}).shape == (320, 600, 3)
