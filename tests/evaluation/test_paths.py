"""Paths and directions in latent spaces."""

import numpy as np
import pytest

from genjax.evaluation.latent import paths

RNG = np.random.default_rng(0)
START, END = RNG.normal(size=(2, 5, 8))


@pytest.mark.parametrize("path", [paths.linear, paths.spherical])
def test_paths_begin_and_end_at_their_ends(path):
    points = path(START, END, 7)
    assert points.shape == (5, 7, 8)
    np.testing.assert_allclose(points[:, 0], START, atol=1e-12)
    np.testing.assert_allclose(points[:, -1], END, atol=1e-12)


def test_spherical_paths_keep_the_length_and_equal_angles():
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (START, END)]
    points = paths.spherical(*unit, 9)
    np.testing.assert_allclose(np.linalg.norm(points, axis=-1), 1, rtol=1e-12)
    cosines = (points[:, 1:] * points[:, :-1]).sum(-1)
    np.testing.assert_allclose(cosines, cosines[:, :1].repeat(8, 1), rtol=1e-9)


def test_middle_of_a_straight_line_is_shorter():
    ends = RNG.normal(size=(2, 50, 256))
    straight, arc = (f(*ends, 3)[:, 1] for f in (paths.linear, paths.spherical))
    lengths = [np.linalg.norm(x, axis=-1).mean() / 16 for x in (straight, arc)]
    np.testing.assert_allclose(lengths, [np.sqrt(0.5), 1], atol=0.02)


@pytest.mark.parametrize("end", [START, -START])
def test_spherical_paths_without_an_angle_are_straight(end):
    points = paths.spherical(START, end, 5)
    np.testing.assert_allclose(points, paths.linear(START, end, 5), atol=1e-9)


def test_traversals_change_one_latent():
    values = np.arange(15.0).reshape(5, 3)
    points = paths.traversals(np.full(3, 7.0), values, [2, 0])
    assert points.shape == (2, 5, 3)
    np.testing.assert_array_equal(points[0, :, 2], values[:, 2])
    np.testing.assert_array_equal(points[1, :, 0], values[:, 0])
    assert (points[0, :, :2] == 7).all() and (points[1, :, 1:] == 7).all()


def test_manifold_is_laid_out_like_a_plot():
    values = paths.normal_quantiles(np.zeros(3), np.ones(3), 3)
    np.testing.assert_allclose(values[:, 0], [-0.967422, 0, 0.967422], atol=1e-6)
    points = paths.manifold(np.full(3, 5.0), values, across=2, down=0).reshape(3, 3, 3)
    np.testing.assert_array_equal(points[..., 1], 5)
    np.testing.assert_allclose(points[1, :, 2], values[:, 2])  # rises to the right
    np.testing.assert_allclose(points[:, 1, 0], values[::-1, 0])  # falls downwards


def test_attribute_means_are_those_of_both_sides():
    codes, has = RNG.normal(size=(20, 4)), RNG.integers(0, 2, (20, 3))
    having, lacking = paths.attribute_means(codes, has)
    for a in range(3):
        np.testing.assert_allclose(having[a], codes[has[:, a] == 1].mean(0))
        np.testing.assert_allclose(lacking[a], codes[has[:, a] == 0].mean(0))


@pytest.mark.parametrize("value", [0, 1])
def test_an_attribute_that_tells_nothing_apart_has_no_vector(value):
    codes = RNG.normal(size=(20, 4))
    having, lacking = paths.attribute_means(codes, np.full((20, 1), value))
    np.testing.assert_allclose(having, lacking, atol=1e-12)


def test_a_loop_goes_through_its_anchors_in_equal_steps_and_comes_back():
    anchors = np.random.RandomState(0).standard_normal((4, 3, 50))
    anchors /= np.linalg.norm(anchors, axis=-1, keepdims=True)
    path = paths.loop(anchors, 6)
    assert path.shape == (24, 3, 50)
    np.testing.assert_allclose(path[::6], anchors, atol=1e-12)
    angles = [np.arccos(_cosine(a, b)) for a, b in zip(path, np.roll(path, -1, 0))]
    for leg in np.reshape(angles, (4, 6, 3)):  # the last leads to the first
        np.testing.assert_allclose(leg, np.broadcast_to(leg[:1], leg.shape), rtol=1e-6)
        assert (leg < 0.4).all()


def _cosine(a, b):
    return (a * b).sum(-1) / (np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1))
