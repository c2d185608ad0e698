"""The kernel distance against its definition, and against what it estimates."""

import numpy as np
import pytest

from genjax.core.config import ConfigError
from genjax.evaluation.image.kid import kernel_distance
from tests.evaluation.features import fake, real


def oracle(x, y):
    """The unbiased estimate, pair by pair."""

    def kernel(a, b):
        return (float(np.dot(a, b)) / len(a) + 1) ** 3

    x, y = x.astype(np.float64), y.astype(np.float64)
    n, m = len(x), len(y)
    xx = sum(kernel(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    yy = sum(kernel(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return xx + yy - 2 * sum(kernel(a, b) for a in x for b in y) / (n * m)


def test_one_subset_of_all_features_is_the_unbiased_estimate():
    x, y = real(40), fake(40)
    found = kernel_distance(x, y, subsets=1, subset_size=40)
    assert found["kid"] == pytest.approx(oracle(x, y), rel=1e-11)
    assert found["kid_std"] == 0.0


def test_sets_of_one_distribution_are_at_distance_zero():
    x = real(800)
    found = kernel_distance(x[:400], x[400:], subset_size=100)
    assert abs(found["kid"]) < found["kid_std"]
    assert kernel_distance(real(), fake(), subset_size=100)["kid"] > 5 * found["kid_std"]


def test_equal_seeds_draw_equal_subsets():
    first, again, other = (
        kernel_distance(real(), fake(), subset_size=50, seed=seed) for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("size", [1, 301])
def test_a_subset_that_cannot_be_drawn_is_refused(size):
    with pytest.raises(ConfigError, match=f"subset_size={size}: must be 2 to 300"):
        kernel_distance(real(), fake(), subset_size=size)


def test_features_of_other_dimensions_are_refused():
    with pytest.raises(ConfigError, match=r"must be .N, D., .M, D."):
        kernel_distance(real(), fake()[:, :3], subset_size=10)


def test_a_feature_that_is_not_finite_has_no_distance_drawn_or_not():
    broken = fake()
    broken[3, 1] = np.nan
    found = kernel_distance(real(), broken, subsets=1, subset_size=2)
    assert np.isnan(found["kid"]) and np.isnan(found["kid_std"])
