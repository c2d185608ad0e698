"""The Fréchet distance against SciPy, and its sums under any batching."""

import numpy as np
import pytest
import scipy.linalg

from genjax.core.config import ConfigError
from genjax.evaluation.image.fid import Moments, frechet_distance
from tests.evaluation.features import fake, real


def in_batches(x, sizes):
    parts = np.split(x, np.cumsum(sizes))
    moments = Moments.of(parts[0])
    for part in parts[1:]:
        moments = moments.joined(Moments.of(part))
    return moments


def oracle(a, b):
    """Heusel's formula with SciPy's matrix root."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    s_a, s_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(s_a @ s_b).real
    return np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(s_a + s_b - 2 * root)


def test_distance_equals_the_formula_with_scipys_root():
    distance = frechet_distance(Moments.of(real()), Moments.of(fake()))
    assert distance == pytest.approx(oracle(real(), fake()), rel=1e-10)


def test_moments_equal_numpys():
    moments = Moments.of(real())
    np.testing.assert_allclose(moments.mean, real().astype(np.float64).mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(
        moments.covariance(), np.cov(real().astype(np.float64), rowvar=False), rtol=1e-12
    )


@pytest.mark.parametrize("sizes", [[399], [1, 1, 1], [100, 100, 100], [7] * 50])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_any_batching_gives_the_same_moments(sizes, offset):
    x = real().astype(np.float64) + offset
    whole, parts = Moments.of(x), in_batches(x, sizes)
    assert parts.n == whole.n
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-13)
    scale = np.abs(whole.scatter).max()
    np.testing.assert_allclose(parts.scatter, whole.scatter, atol=1e-10 * scale)


def test_distance_of_known_gaussians():
    """Diagonal covariances: the sum of squared differences of means and standard deviations."""
    rng = np.random.RandomState(0)
    x = rng.randn(500, 3)
    x = np.linalg.solve(np.linalg.cholesky(np.cov(x, rowvar=False)), (x - x.mean(0)).T).T
    a, b = x * [1.0, 2.0, 3.0], x * [2.0, 2.0, 1.0] + [0.0, 1.0, 2.0]
    assert frechet_distance(Moments.of(a), Moments.of(b)) == pytest.approx(1 + 4 + 1 + 4)


def test_distance_to_itself_is_zero_also_with_fewer_features_than_dimensions():
    few = real(10, 24)
    assert frechet_distance(Moments.of(few), Moments.of(few)) == pytest.approx(0.0, abs=1e-9)
    distance = frechet_distance(Moments.of(few), Moments.of(fake(12, 24)))
    assert distance == pytest.approx(oracle(few, fake(12, 24)), rel=1e-5)


def test_distance_is_symmetric():
    a, b = Moments.of(real()), Moments.of(fake())
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_not_finite_give_nan(bad):
    x = fake()
    x[3, 2] = bad
    assert np.isnan(frechet_distance(Moments.of(real()), Moments.of(x)))


def test_unfit_features_are_refused():
    with pytest.raises(ConfigError, match="24 and 5 dimensions"):
        frechet_distance(Moments.of(real()), Moments.of(fake()[:, :5]))
    with pytest.raises(ConfigError, match="at least 2"):
        frechet_distance(Moments.of(real()), Moments.of(fake()[:1]))
    with pytest.raises(ConfigError, match="N at least 1"):
        Moments.of(fake()[:0])
