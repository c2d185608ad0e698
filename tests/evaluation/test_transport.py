"""Exact optimal transport between samples, against closed forms and brute force."""

import itertools

import numpy as np
import pytest
import scipy.stats

from genjax.core.config import ConfigError
from genjax.evaluation.image.fid import Moments, frechet_distance
from genjax.evaluation.transport import wasserstein_distance


def draws(n, dimensions, seed=0):
    return np.random.RandomState(seed).randn(2, n, dimensions)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_no_permutation_is_cheaper(dimensions, order):
    x, y = draws(6, dimensions)
    costs = [
        np.mean(np.linalg.norm(x - y[list(s)], axis=1) ** order) ** (1 / order)
        for s in itertools.permutations(range(6))
    ]
    np.testing.assert_allclose(wasserstein_distance(x, y, order=order), min(costs), rtol=1e-12)


def test_in_one_dimension_it_is_scipys():
    x, y = draws(500, 1)
    expected = scipy.stats.wasserstein_distance(x[:, 0], y[:, 0])
    np.testing.assert_allclose(wasserstein_distance(x, y), expected, rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2])
def test_points_on_a_line_are_matched_in_their_order(order):
    x, y = draws(100, 1)
    direction = np.array([[0.6, 0.8]])  # of length 1: the plane's assignment meets the line's sort
    on_the_line = wasserstein_distance(x, y, order=order)
    in_the_plane = wasserstein_distance(x @ direction, y @ direction, order=order)
    np.testing.assert_allclose(in_the_plane, on_the_line, rtol=1e-12)


def test_a_translation_costs_its_length():
    x, _ = draws(64, 3)
    moved = x[::-1] + np.array([2.0, 3.0, 6.0])
    np.testing.assert_allclose(wasserstein_distance(x, moved), 7.0, rtol=1e-12)


@pytest.mark.parametrize("dimensions", [2, 5])
def test_between_gaussian_moments_it_is_the_closed_form(dimensions):
    # A symmetric positive definite map is the gradient of a convex function, so it moves any
    # sample optimally, and at the cost that Bures' formula gives for the moments: no tolerance.
    x, noise = draws(200, dimensions)
    scatter = noise[:dimensions].T @ noise[:dimensions]
    y = x @ (0.5 * np.eye(dimensions) + scatter / 3) + np.arange(dimensions)
    # One more in the count, so that the covariances divide by the number of samples.
    moments = [Moments.of(s)._replace(n=len(s) + 1) for s in (x, y)]
    squared = wasserstein_distance(x, y[::-1], order=2) ** 2
    np.testing.assert_allclose(squared, frechet_distance(*moments), rtol=1e-9)


def test_it_is_a_distance():
    x, y = draws(50, 3)
    z, _ = draws(50, 3, seed=1)
    assert wasserstein_distance(x, x[::-1]) == 0
    np.testing.assert_allclose(wasserstein_distance(x, y), wasserstein_distance(y, x), rtol=1e-12)
    around = wasserstein_distance(x, z) + wasserstein_distance(z, y)
    assert wasserstein_distance(x, y) <= around
    assert wasserstein_distance(x, y) <= wasserstein_distance(x, y, order=2)


@pytest.mark.parametrize("dimensions", [1, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_diverged_samples_have_no_distance(value, dimensions):
    x, y = draws(5, dimensions)
    y[3] = value
    assert np.isnan(wasserstein_distance(x, y))


@pytest.mark.parametrize(
    "shapes", [((5, 2), (6, 2)), ((5, 2), (5, 3)), ((5,), (5,)), ((0, 2),) * 2]
)
def test_samples_that_cannot_be_paired_are_refused(shapes):
    with pytest.raises(ConfigError, match=r"must be \(N, D\) both"):
        wasserstein_distance(*map(np.zeros, shapes))


def test_an_order_below_one_is_refused():
    with pytest.raises(ConfigError, match="order=0: must be at least 1"):
        wasserstein_distance(*draws(3, 1), order=0)
