"""Terms of variational bounds against integrals and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, special, stats

from genjax import losses

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("mean", "log_variance"), [(0.0, 0.0), (1.3, -2.0), (-0.4, 1.1)])
def test_kl_is_the_integral_of_its_definition(mean, log_variance):
    q, p = stats.norm(mean, np.exp(log_variance / 2)), stats.norm()
    expected, _ = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -20, 20)
    got = losses.gaussian_kl(np.array([[mean]]), np.array([[log_variance]]))
    np.testing.assert_allclose(got, [[expected]], atol=1e-10)


def test_kl_does_not_cancel_near_the_prior():
    got = losses.gaussian_kl(np.float32([0]), np.float32([1e-3]))
    np.testing.assert_allclose(got, 2.5e-7, rtol=1e-3)


@pytest.mark.parametrize("log_variance", [-1e4, -100.0, 0.0, losses.MAX_LOG_VARIANCE])
def test_narrow_and_wide_posteriors_stay_finite(log_variance):
    noise = np.ones((2, 3), np.float32)

    def total(mean, log_variance):
        z = losses.reparameterize(mean, log_variance, noise)
        ratio = losses.log_prior_ratio(z, noise, log_variance)
        return losses.gaussian_kl(mean, log_variance).sum() - ratio.sum()

    value, gradient = jax.value_and_grad(total, (0, 1))(noise, log_variance * noise)
    assert np.isfinite(value) and all(np.isfinite(g).all() for g in gradient)


def test_prior_ratio_is_the_difference_of_the_densities_of_draws():
    mean, log_variance, noise = RNG.normal(size=(3, 4, 3))
    z = losses.reparameterize(mean, log_variance, noise)
    q = stats.norm(mean, np.exp(log_variance / 2))
    np.testing.assert_allclose(q.cdf(z), stats.norm.cdf(noise), rtol=1e-10)
    expected = (stats.norm.logpdf(z) - q.logpdf(z)).sum(-1)
    np.testing.assert_allclose(losses.log_prior_ratio(z, noise, log_variance), expected, rtol=1e-10)


def test_importance_weighted_bound_is_the_log_of_the_mean_weight():
    log_weight = 30 * RNG.normal(size=(5, 7)) - 1000
    bound = losses.importance_weighted_bound(log_weight)
    expected = special.logsumexp(log_weight, axis=1) - np.log(7)
    np.testing.assert_allclose(bound, expected, rtol=1e-12)
    one = losses.importance_weighted_bound(log_weight[:, :1])
    np.testing.assert_array_equal(one, log_weight[:, 0])
    # Burda et al. 2016, equation 14: the gradient weighs draws by normalized importance.
    gradient = jax.grad(lambda w: losses.importance_weighted_bound(w).sum())(log_weight)
    np.testing.assert_allclose(gradient, special.softmax(log_weight, axis=1), rtol=1e-10)


def test_free_bits_cost_what_the_paper_says():
    """Kingma et al. 2016, equation 15: sum over latents of max(lambda, mean KL of the batch)."""
    kl = jnp.asarray([[0.1, 2.0, 0.9], [0.5, 1.0, 0.1]])
    value, gradient = jax.value_and_grad(lambda k: losses.free_bits_kl(k, 0.5).mean())(kl)
    np.testing.assert_allclose(value, 0.5 + 1.5 + 0.5)
    np.testing.assert_allclose(gradient, [[0, 0.5, 0], [0, 0.5, 0]])


def test_free_bits_of_parts_equal_those_of_the_whole_batch():
    kl = RNG.exponential(size=(6, 4))
    whole = losses.free_bits_kl(kl, 0.9)
    parts = [losses.free_bits_kl(kl[i : i + 2], 0.9, kl.mean(0)) for i in (0, 2, 4)]
    np.testing.assert_allclose(whole, jnp.concatenate(parts), rtol=1e-14)
