"""Importance sampled bounds on a model whose log p(x) is known exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from genjax.core.random import example_normal
from genjax.losses import gaussian_kl, gaussian_log_likelihood, likelihood_bounds, log_prior_ratio

LATENTS, FEATURES, SIGMA = 2, 3, 0.5
RNG = np.random.default_rng(0)
W = RNG.normal(size=(FEATURES, LATENTS))
X = RNG.normal(size=(40, FEATURES)).astype(np.float32)


def log_evidence():
    """log N(x; 0, W W' + sigma^2 I): p(z) = N(0, I), p(x|z) = N(W z, sigma^2 I)."""
    covariance = W @ W.T + SIGMA**2 * np.eye(FEATURES)
    return stats.multivariate_normal.logpdf(X, np.zeros(FEATURES), covariance)


def posterior(widening):
    """Mean (B, Z) and log-variance (B, Z): the exact posterior's, its variance times `widening`.

    The model is turned so that the exact posterior is diagonal.
    """
    _, eigen, turn = np.linalg.svd(W, full_matrices=False)
    turned = W @ turn.T
    variance = 1 / (1 + eigen**2 / SIGMA**2)
    mean = X @ turned * variance / SIGMA**2
    log_variance = np.broadcast_to(np.log(variance * widening), mean.shape)
    return turned, jnp.float32(mean), jnp.float32(log_variance)


def bounds(num_samples, widening=1.0, chunk=10, rows=slice(None)):
    turned, mean, log_variance = posterior(widening)
    x, mean, log_variance = X[rows], mean[rows], log_variance[rows]

    @jax.jit
    def compute():
        def draw(numbers):
            noise = example_normal(0, x, numbers, LATENTS)
            z = mean[:, None] + jnp.exp(0.5 * log_variance)[:, None] * noise
            output = (z @ turned.T).reshape(-1, FEATURES)
            target = jnp.repeat(x, len(numbers), 0)
            value = gaussian_log_likelihood(output, target, np.log(SIGMA))
            return value.reshape(len(x), -1), log_prior_ratio(z, noise, log_variance[:, None])

        return likelihood_bounds(draw, num_samples, chunk=chunk)

    log_likelihood, importance = compute()
    return np.asarray(log_likelihood - gaussian_kl(mean, log_variance).sum(-1)), np.asarray(
        importance
    )


def test_bound_of_the_exact_posterior_is_the_evidence():
    for num_samples in (1, 7):
        _, importance = bounds(num_samples)
        np.testing.assert_allclose(importance, log_evidence(), rtol=1e-4)


def test_bound_rises_from_the_elbo_to_the_evidence():
    """Monotone in k in expectation (Burda et al. 2016, theorem 1); the mean is over 40 examples."""
    means = [bounds(k, widening=4.0)[1].mean() for k in (1, 5, 50)]
    elbo, evidence = bounds(20_000, widening=4.0, chunk=500)
    assert means == sorted(means)
    assert elbo.mean() < means[-1] < log_evidence().mean() + 0.05  # of 40 x 50 draws
    np.testing.assert_allclose(bounds(50, widening=4.0)[0].mean(), elbo.mean(), atol=0.3)
    np.testing.assert_allclose(evidence, log_evidence(), atol=0.05)


def test_chunks_do_not_change_the_bounds():
    whole = bounds(12, 2.0, chunk=12)
    for chunk in (1, 4, 5, 100):
        for got, expected in zip(bounds(12, 2.0, chunk=chunk), whole, strict=True):
            np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_an_example_has_the_same_noise_in_every_batch():
    whole = bounds(5, 2.0)
    for got, expected in zip(bounds(5, 2.0, rows=slice(3, 11)), whole, strict=True):
        np.testing.assert_allclose(got, expected[3:11], rtol=1e-5)


@pytest.mark.parametrize("num_samples", [1, 2, 13])
def test_any_number_of_draws_can_be_made(num_samples):
    assert bounds(num_samples, chunk=4)[1].shape == (40,)
