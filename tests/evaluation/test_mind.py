"""The sliced Wasserstein distance against its definition, and against what it must be."""

import numpy as np
import pytest

from genjax.core.config import ConfigError
from genjax.evaluation.image.mind import monge_distance
from tests.evaluation.features import fake, real


def oracle(x, y, projections, seed):
    """The definition, direction by direction, value by value."""
    x, y = [[float(v) for v in row] for row in x], [[float(v) for v in row] for row in y]
    rng, dim, total = np.random.RandomState(seed), len(x[0]), 0.0
    for _ in range(projections):
        u = rng.randn(dim)
        u = u / np.sqrt(sum(v * v for v in u))
        a, b = (sorted(sum(p * q for p, q in zip(row, u)) for row in z) for z in (x, y))
        total += sum((p - q) ** 2 for p, q in zip(a, b)) / len(a)
    return 3 * dim * total / projections


@pytest.mark.parametrize("projections", [3, 120])  # within a block, and over three of them
def test_it_is_the_mean_over_directions_of_one_dimensional_transport(projections):
    x, y = real(40), fake(40)
    found = monge_distance(x, y, projections=projections, seed=7)
    assert found == pytest.approx(oracle(x, y, projections, 7), rel=1e-12)


def test_a_shift_costs_three_times_its_square():
    x = real(50)
    shift = np.linspace(-1, 2, x.shape[1])
    found = monge_distance(x, x + shift, projections=20_000)
    assert found == pytest.approx(3 * np.sum(shift**2), rel=0.03)


def test_order_and_seed_decide_nothing_but_the_directions():
    x, y = real(300), fake(300)
    first = monge_distance(x, y)
    assert first == pytest.approx(monge_distance(x[::-1], y[::-1]), rel=1e-12)
    assert first == pytest.approx(monge_distance(y, x), rel=1e-12)
    assert first == monge_distance(x, y) != monge_distance(x, y, seed=1)
    assert first == pytest.approx(monge_distance(x, y, seed=1), rel=0.1)
    assert monge_distance(x, x) == 0


def test_of_the_larger_set_as_many_are_drawn_as_the_smaller_has():
    x, y = real(400), fake(300)
    kept = np.random.RandomState(5).permutation(400)[:300]
    rng = np.random.RandomState(5)
    rng.permutation(400)
    u = rng.randn(1, x.shape[1])
    u /= np.linalg.norm(u)
    a, b = (np.sort(z.astype(np.float64) @ u[0]) for z in (x[kept], y))
    expected = 3 * x.shape[1] * np.mean((a - b) ** 2)
    assert monge_distance(x, y, projections=1, seed=5) == pytest.approx(expected, rel=1e-12)


def test_features_that_are_not_finite_have_no_distance_and_others_are_refused():
    broken = fake().copy()
    broken[3, 1] = np.inf
    assert np.isnan(monge_distance(real(), broken))
    dropped = real(400)  # of which 300 are drawn
    dropped[np.random.RandomState(2020).permutation(400)[-1]] = np.nan
    assert np.isnan(monge_distance(dropped, fake(300)))
    with pytest.raises(ConfigError, match=r"must be .N, D., .M, D."):
        monge_distance(real(), fake()[:, :3])
    with pytest.raises(ConfigError, match="at least 1"):
        monge_distance(real(), fake()[:0])
