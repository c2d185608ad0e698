"""Log-likelihoods against SciPy's distributions in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import stats

from genjax import losses

SHAPE = (4, 3, 2, 2)
LEVELS = 5


def draw(seed=0):
    """Means and gray levels, both (4, 3, 2, 2) float64."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-0.5, 1.5, SHAPE), rng.integers(0, LEVELS, SHAPE) / (LEVELS - 1)


def logistic_by_hand(mean, x, scale):
    """The mass of each level's bin by SciPy's distribution function, from its nearer tail."""
    half = 0.5 / (LEVELS - 1)
    low = np.where(x == 0, -np.inf, x - half)
    high = np.where(x == 1, np.inf, x + half)
    below = stats.logistic.cdf(high, mean, scale) - stats.logistic.cdf(low, mean, scale)
    above = stats.logistic.sf(low, mean, scale) - stats.logistic.sf(high, mean, scale)
    return np.log(np.where(x < mean, below, above)).reshape(len(x), -1).sum(1)


def logistic(mean, x, log_scale):
    return losses.discretized_logistic_log_likelihood(mean, x, log_scale, LEVELS)


@pytest.mark.parametrize("scale", [0.05, 0.3, 4.0])
def test_log_likelihoods_equal_scipy(scale):
    mean, x = draw()
    with jax.enable_x64(True):
        normal = losses.gaussian_log_likelihood(mean, x, np.log(scale))
        np.testing.assert_allclose(
            normal, stats.norm.logpdf(x, mean, scale).reshape(4, -1).sum(1), rtol=1e-12
        )
        got = logistic(mean, x, np.log(scale))
        np.testing.assert_allclose(got, logistic_by_hand(mean, x, scale), rtol=1e-8)
        binary, logits = np.round(x), 5 * mean
        expected = stats.bernoulli.logpmf(binary, 1 / (1 + np.exp(-logits)))
        got = losses.bernoulli_log_likelihood(logits, binary)
        np.testing.assert_allclose(got, expected.reshape(4, -1).sum(1), rtol=1e-12)
        assert normal.shape == got.shape == (4,) and got.dtype == jnp.float64


@pytest.mark.parametrize("scale", [1e-4, 0.1, 1e3])
def test_probabilities_of_all_levels_sum_to_one(scale):
    means = np.linspace(-1, 2, 7)
    with jax.enable_x64(True):
        total = sum(
            np.exp(logistic(means[:, None], np.full((7, 1), level / 4), np.log(scale)))
            for level in range(LEVELS)
        )
    np.testing.assert_allclose(total, 1, rtol=1e-12)


def test_log_likelihoods_pass_check_grads():
    mean, x = draw()
    with jax.enable_x64(True):
        log_scale = np.log(np.random.default_rng(1).uniform(0.1, 1, SHAPE))  # one for each element
        for f in (losses.gaussian_log_likelihood, logistic):
            check_grads(lambda m, s, f=f: f(m, x, s).mean(), (mean, log_scale), 2, ("fwd", "rev"))
        check_grads(
            lambda m: losses.bernoulli_log_likelihood(m, x).mean(), (mean,), 2, ("fwd", "rev")
        )


@pytest.mark.parametrize("x", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("mean", [-1e4, 0.5, 1e4])
@pytest.mark.parametrize("log_scale", [-9.0, 0.0, 20.0])
def test_levels_far_from_the_mean_stay_finite(mean, x, log_scale):
    mean, x = jnp.full((1, 1), mean), jnp.full((1, 1), x)
    value, gradient = jax.value_and_grad(lambda m, s: logistic(m, x, s).sum(), (0, 1))(
        mean, jnp.float32(log_scale)
    )
    assert np.isfinite(value) and value <= 0
    assert all(np.isfinite(g).all() for g in gradient)


def test_elements_are_summed_and_examples_do_not_mix():
    mean, x = (jnp.float32(a) for a in draw())
    for f in (losses.gaussian_log_likelihood, logistic):
        value = f(mean, x, -1.0)
        np.testing.assert_allclose(value[1:3], f(mean[1:3], x[1:3], -1.0), rtol=1e-6)
        alone = f(mean.reshape(-1, 1), x.reshape(-1, 1), -1.0)
        np.testing.assert_allclose(value, alone.reshape(4, -1).sum(1), rtol=1e-5)


def test_bfloat16_is_reduced_in_float32():
    mean, x = (jnp.bfloat16(a) for a in draw())
    for f in (losses.gaussian_log_likelihood, logistic):
        value = f(mean, x, jnp.bfloat16(-1.0))
        assert value.dtype == jnp.float32
        exact = f(mean.astype(jnp.float32), x.astype(jnp.float32), -1.0)
        np.testing.assert_allclose(value, exact, rtol=1e-6)


@pytest.mark.parametrize("f", [losses.gaussian_log_likelihood, logistic])
def test_shapes_that_would_broadcast_are_refused(f):
    with pytest.raises(ValueError, match=r"x: .*\(1,\).*not \(4, 3\)"):
        f(np.zeros((4, 1)), np.zeros((4, 3)), 0.0)
