"""Losses of the two players against their equations, and where scores saturate."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit, log_expit

from genjax import losses

REAL = np.array([-3.0, -0.4, 0.0, 0.7, 2.5])
FAKE = np.array([1.5, -2.0, 0.3, 0.0, -0.9])
S = 0.1  # label smoothing

# The equations of the papers, with p = sigmoid(score) where they have a probability.
CRITIC = {
    "minimax": lambda r, f: -log_expit(r) - np.log1p(-expit(f)),
    "non_saturating": lambda r, f: -log_expit(r) - np.log1p(-expit(f)),
    "least_squares": lambda r, f: 0.5 * (r - 1) ** 2 + 0.5 * f**2,
    "hinge": lambda r, f: -np.minimum(0, r - 1) - np.minimum(0, -f - 1),
    "wasserstein": lambda r, f: f - r,
    "relativistic": lambda r, f: -log_expit(r - f),
}
GENERATOR = {
    "minimax": lambda r, f: np.log1p(-expit(f)),
    "non_saturating": lambda r, f: -log_expit(f),
    "least_squares": lambda r, f: 0.5 * (f - 1) ** 2,
    "hinge": lambda r, f: -f,
    "wasserstein": lambda r, f: -f,
    "relativistic": lambda r, f: -log_expit(f - r),
}
SMOOTHED = {
    "minimax": lambda r, f: -(1 - S) * log_expit(r) - S * np.log1p(-expit(r)) - np.log1p(-expit(f)),
    "least_squares": lambda r, f: 0.5 * (r - (1 - S)) ** 2 + 0.5 * f**2,
}


def both(name):
    """Losses of critic and generator as functions of both scores, with their equations."""
    game = losses.ADVERSARIAL_LOSSES[name]
    generator = game.generator if game.paired else lambda real, fake: game.generator(fake)
    return (game.critic, CRITIC[name]), (generator, GENERATOR[name])


@pytest.mark.parametrize("name", losses.ADVERSARIAL_LOSSES)
def test_losses_equal_the_papers_equations(name):
    for loss, equation in both(name):
        value = loss(REAL, FAKE)
        assert value.shape == (5,) and value.dtype == jnp.float64
        np.testing.assert_allclose(value, equation(REAL, FAKE), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", sorted(SMOOTHED))
def test_smoothed_labels_are_those_of_real_examples_only(name):
    value = losses.ADVERSARIAL_LOSSES[name].critic(REAL, FAKE, label_smoothing=S)
    np.testing.assert_allclose(value, SMOOTHED[name](REAL, FAKE), rtol=1e-12)
    assert losses.ADVERSARIAL_LOSSES[name].labeled


@pytest.mark.parametrize("name", losses.ADVERSARIAL_LOSSES)
@pytest.mark.parametrize("size", [30.0, 1e4])
def test_saturated_scores_have_finite_losses_and_gradients(name, size):
    real, fake = np.float32([size, -size, size]), np.float32([size, size, -size])
    for loss, equation in both(name):
        value, gradient = jax.value_and_grad(lambda s, loss=loss: loss(*s).sum())((real, fake))
        assert np.isfinite(value) and all(np.isfinite(g).all() for g in gradient)
        if size < 100:  # float64 still holds the probabilities
            expected = equation(np.float64(real), np.float64(fake)).sum()
            np.testing.assert_allclose(value, expected, rtol=1e-3)


def test_only_the_minimax_generator_has_no_gradient_where_the_critic_is_sure():
    assert abs(jax.grad(losses.minimax_generator_loss)(-30.0)) < 1e-12
    np.testing.assert_allclose(jax.grad(losses.non_saturating_generator_loss)(-30.0), -1)
