"""Nearest vectors by cosine, held against all pairs in float64."""

import numpy as np

from genjax.evaluation.text.nearest import nearest


def test_the_nearest_are_those_of_all_cosines_however_many_queries() -> None:
    rng = np.random.default_rng(0)
    query, among = rng.normal(size=(700, 5)), rng.normal(size=(60, 5)) * 10
    cosine = query @ among.T
    cosine /= np.linalg.norm(query, axis=1)[:, None] * np.linalg.norm(among, axis=1)
    index, found = nearest(query, among, 4)
    np.testing.assert_array_equal(index, np.argsort(-cosine, axis=1)[:, :4])
    np.testing.assert_allclose(found, -np.sort(-cosine, axis=1)[:, :4], rtol=1e-5, atol=1e-6)


def test_of_few_all_are_found_and_nothing_is_near_a_zero() -> None:
    index, cosine = nearest(np.eye(2), np.array([[0.0, 0.0], [0.0, 3.0], [0.0, 1.0]]), 9)
    np.testing.assert_array_equal(index, [[0, 1, 2], [1, 2, 0]])  # of equal ones the first
    np.testing.assert_array_equal(cosine, [[0, 0, 0], [1, 1, 0]])
