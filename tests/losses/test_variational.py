"""Terms of variational bounds against integrals, closed forms and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import integrate, special, stats

from genjax import losses


def draw(shape=(4, 3), seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape), rng.normal(size=shape)


@pytest.mark.parametrize(("mean", "log_variance"), [(0.0, 0.0), (1.3, -2.0), (-0.4, 1.1)])
def test_kl_is_the_integral_of_its_definition(mean, log_variance):
    q, p = stats.norm(mean, np.exp(log_variance / 2)), stats.norm()
    expected, _ = integrate.quad(lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), -20, 20)
    with jax.enable_x64(True):
        got = losses.gaussian_kl(np.array([[mean]]), np.array([[log_variance]]))
    np.testing.assert_allclose(got, [[expected]], atol=1e-10)


def test_kl_is_per_latent_and_passes_check_grads():
    with jax.enable_x64(True):
        mean, log_variance = draw()
        kl = losses.gaussian_kl(mean, log_variance)
        assert kl.shape == (4, 3) and (kl > 0).all()
        check_grads(losses.gaussian_kl, (mean, log_variance), 2, ("fwd", "rev"))


def test_kl_does_not_cancel_near_the_prior():
    tiny = jnp.float32(1e-3)
    np.testing.assert_allclose(losses.gaussian_kl(jnp.zeros(()), tiny), 2.5e-7, rtol=1e-3)


@pytest.mark.parametrize("log_variance", [-1e4, -100.0, 0.0, 20.0])
def test_narrow_and_wide_posteriors_stay_finite(log_variance):
    def total(mean, log_variance):
        z = mean + jnp.exp(0.5 * log_variance) * noise
        ratio = losses.log_prior_ratio(z, noise, log_variance)
        return losses.gaussian_kl(mean, log_variance).sum() - ratio.sum()

    noise = jnp.ones((2, 3))
    value, gradient = jax.value_and_grad(total, (0, 1))(noise, jnp.full((2, 3), log_variance))
    assert np.isfinite(value) and all(np.isfinite(g).all() for g in gradient)


def test_prior_ratio_is_the_difference_of_two_densities():
    (mean, log_variance), noise = draw(), draw(seed=1)[0]
    z = mean + np.exp(log_variance / 2) * noise
    q = stats.norm.logpdf(z, mean, np.exp(log_variance / 2))
    with jax.enable_x64(True):
        got = losses.log_prior_ratio(z, noise, log_variance)
    np.testing.assert_allclose(got, (stats.norm.logpdf(z) - q).sum(-1), rtol=1e-10)


def test_importance_weighted_bound_is_the_log_of_the_mean_weight():
    log_weight = 30 * np.random.default_rng(0).normal(size=(5, 7)) - 1000
    with jax.enable_x64(True):
        bound = losses.importance_weighted_bound(log_weight)
        np.testing.assert_allclose(
            bound, special.logsumexp(log_weight, axis=1) - np.log(7), rtol=1e-12
        )
        check_grads(losses.importance_weighted_bound, (log_weight,), 2, ("fwd", "rev"))
        one = losses.importance_weighted_bound(log_weight[:, :1])
    np.testing.assert_array_equal(one, log_weight[:, 0])
    assert (bound >= log_weight.mean(1)).all()  # Jensen


def test_gradient_of_the_importance_weighted_bound_weighs_the_draws():
    """Burda et al. 2016, equation 14: normalized importance weights."""
    log_weight = jnp.float32(np.random.default_rng(0).normal(size=(2, 6)))
    gradient = jax.grad(lambda w: losses.importance_weighted_bound(w).sum())(log_weight)
    np.testing.assert_allclose(gradient, special.softmax(log_weight, axis=1), rtol=1e-5)


def test_free_bits_cost_what_the_paper_says():
    """Kingma et al. 2016, equation 15: sum over latents of max(lambda, mean KL of the batch)."""
    kl = jnp.asarray([[0.1, 2.0, 0.9], [0.5, 1.0, 0.1]])
    value, gradient = jax.value_and_grad(lambda k: losses.free_bits_kl(k, 0.5).mean())(kl)
    np.testing.assert_allclose(value, 0.5 + 1.5 + 0.5)
    np.testing.assert_allclose(gradient, [[0, 0.5, 0], [0, 0.5, 0]])


def test_free_bits_of_parts_equal_those_of_the_whole_batch():
    kl = jnp.asarray(np.random.default_rng(0).exponential(size=(6, 4)))
    whole = losses.free_bits_kl(kl, 0.9)
    parts = [losses.free_bits_kl(kl[i : i + 2], 0.9, kl.mean(0)) for i in (0, 2, 4)]
    np.testing.assert_array_equal(whole, jnp.concatenate(parts))


def test_bfloat16_is_computed_in_float32():
    mean, log_variance = (jnp.bfloat16(a) for a in draw())
    assert losses.gaussian_kl(mean, log_variance).dtype == jnp.float32
    assert losses.log_prior_ratio(mean, mean, log_variance).dtype == jnp.float32
    assert losses.importance_weighted_bound(mean).dtype == jnp.float32
