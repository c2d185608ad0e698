"""Log-likelihoods against SciPy's distributions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from genjax import losses

SHAPE = (4, 3, 2, 2)
LEVELS = 5


def logistic_by_hand(mean, x, scale):
    """The mass of each level's bin by SciPy's distribution function, from its nearer tail."""
    half = 0.5 / (LEVELS - 1)
    low = np.where(x == 0, -np.inf, x - half)
    high = np.where(x == 1, np.inf, x + half)
    below = stats.logistic.cdf(high, mean, scale) - stats.logistic.cdf(low, mean, scale)
    above = stats.logistic.sf(low, mean, scale) - stats.logistic.sf(high, mean, scale)
    return np.log(np.where(x < mean, below, above))


def logistic(mean, x, log_scale):
    return losses.discretized_logistic_log_likelihood(mean, x, log_scale, LEVELS)


@pytest.mark.parametrize("scale", [0.05, 0.3, 4.0])
def test_log_likelihoods_equal_scipys(scale):
    rng = np.random.default_rng(0)
    mean, x = rng.uniform(-0.5, 1.5, SHAPE), rng.integers(0, LEVELS, SHAPE) / (LEVELS - 1)
    logits, binary = 5 * mean, np.round(x)
    for value, expected in [
        (
            losses.gaussian_log_likelihood(mean, x, np.log(scale)),
            stats.norm.logpdf(x, mean, scale),
        ),
        (logistic(mean, x, np.log(scale)), logistic_by_hand(mean, x, scale)),
        (
            losses.bernoulli_log_likelihood(logits, binary),
            stats.bernoulli.logpmf(binary, 1 / (1 + np.exp(-logits))),
        ),
    ]:
        assert value.shape == (4,) and value.dtype == jnp.float64
        np.testing.assert_allclose(value, expected.reshape(4, -1).sum(1), rtol=1e-8)


@pytest.mark.parametrize("scale", [1e-4, 0.1, 1e3])
def test_probabilities_of_all_levels_sum_to_one(scale):
    means = np.linspace(-1, 2, 7)
    total = sum(
        np.exp(logistic(means[:, None], np.full((7, 1), level / 4), np.log(scale)))
        for level in range(LEVELS)
    )
    np.testing.assert_allclose(total, 1, rtol=1e-12)


def test_levels_far_from_the_mean_stay_finite():
    cases = np.meshgrid([-1e4, 0.5, 1e4], [0.0, 0.25, 1.0], [-9.0, 0.0, 20.0])
    mean, x, log_scale = (np.float32(a).reshape(-1, 1) for a in cases)
    value, gradient = jax.value_and_grad(lambda m, s: logistic(m, x, s).sum(), (0, 1))(
        mean, log_scale
    )
    assert np.isfinite(value) and all(np.isfinite(g).all() for g in gradient)
    assert (logistic(mean, x, log_scale) <= 0).all()
