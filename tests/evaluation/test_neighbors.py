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
