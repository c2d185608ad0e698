"""Nearest neighbors of batches are those of the whole set."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from genjax.evaluation.image.neighbors import Neighbors


@pytest.mark.parametrize("batch", [2, 7, 100])
def test_they_are_those_of_the_whole_set_however_it_is_cut(batch):
    random = np.random.RandomState(0)
    rows, query = random.rand(50, 3, 2) + 20, random.rand(9, 4) + 5
    embedded = np.concatenate([rows[:, :, 0], rows[:, :1, 1]], 1) - 15
    query[0] = embedded[31]  # a copy
    found = Neighbors(query, 3)
    for i in range(0, 50, batch):
        found.add(rows[i : i + batch], embedded[i : i + batch])
    distance, place = NearestNeighbors(n_neighbors=3).fit(embedded).kneighbors(query)
    np.testing.assert_allclose(found.distance, distance, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found.rows, rows[place])
    assert found.distance[0, 0] < 1e-6


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_what_a_question_finds_does_not_depend_on_the_others(bad):
    random = np.random.RandomState(0)
    rows, query = random.rand(50, 4).astype(np.float32), random.rand(5, 4).astype(np.float32)
    found = []
    for others in (query, np.concatenate([query, np.full((1, 4), bad, np.float32)])):
        neighbors = Neighbors(others, 3)
        with np.errstate(all="ignore"):
            for i in range(0, 50, 20):
                neighbors.add(rows[i : i + 20], rows[i : i + 20])
        found.append((neighbors.distance[:5], neighbors.rows[:5]))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])
