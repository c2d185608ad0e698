"""Losses of the two players against their equations in float64, and where scores saturate."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
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
ADVERSARIAL_LOSSES = sorted(losses.ADVERSARIAL_LOSSES)


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def critic_loss(name, real, fake):
    return losses.ADVERSARIAL_LOSSES[name].critic(real, fake)


def generator_loss(name, real, fake):
    game = losses.ADVERSARIAL_LOSSES[name]
    return game.generator(real, fake) if game.paired else game.generator(fake)


def test_every_game_has_its_equations():
    assert set(ADVERSARIAL_LOSSES) == set(CRITIC) == set(GENERATOR)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_losses_equal_the_papers_equations(name, float64):
    for loss, equation in ((critic_loss, CRITIC[name]), (generator_loss, GENERATOR[name])):
        value = jax.jit(functools.partial(loss, name))(REAL, FAKE)
        assert value.shape == (5,) and value.dtype == jnp.float64
        np.testing.assert_allclose(value, equation(REAL, FAKE), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", sorted(SMOOTHED))
def test_smoothed_labels_are_those_of_real_examples_only(name, float64):
    value = losses.ADVERSARIAL_LOSSES[name].critic(REAL, FAKE, label_smoothing=S)
    np.testing.assert_allclose(value, SMOOTHED[name](REAL, FAKE), rtol=1e-12)
    assert losses.ADVERSARIAL_LOSSES[name].labeled


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_losses_pass_check_grads(name, float64):
    for loss in (critic_loss, generator_loss):
        check_grads(lambda r, f, loss=loss: loss(name, r, f), (REAL, FAKE), order=2)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
@pytest.mark.parametrize("size", [30.0, 1e4])
def test_saturated_scores_have_finite_losses_and_gradients(name, size):
    real, fake = np.float32([size, -size, size]), np.float32([size, size, -size])
    for loss, equation in ((critic_loss, CRITIC[name]), (generator_loss, GENERATOR[name])):
        value, gradient = jax.value_and_grad(lambda scores, loss=loss: loss(name, *scores).sum())(
            (real, fake)
        )
        assert np.isfinite(value)
        assert all(np.isfinite(g).all() for g in gradient)
        if size < 100:  # float64 still holds the probabilities
            expected = equation(np.float64(real), np.float64(fake)).sum()
            np.testing.assert_allclose(value, expected, rtol=1e-3)


def test_only_the_minimax_generator_has_no_gradient_where_the_critic_is_sure():
    sure = jnp.float32(-30.0)
    assert abs(jax.grad(losses.minimax_generator_loss)(sure)) < 1e-12
    np.testing.assert_allclose(jax.grad(losses.non_saturating_generator_loss)(sure), -1, rtol=1e-6)


def test_the_relativistic_game_only_knows_differences():
    for loss in (critic_loss, generator_loss):
        np.testing.assert_allclose(
            loss("relativistic", REAL + 5, FAKE + 5), loss("relativistic", REAL, FAKE), rtol=1e-5
        )


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_bfloat16_scores_make_float32_losses(name):
    real, fake = jnp.bfloat16(REAL), jnp.bfloat16(FAKE)
    for loss in (critic_loss, generator_loss):
        value = loss(name, real, fake)
        assert value.dtype == jnp.float32
        np.testing.assert_allclose(value, loss(name, np.float32(real), np.float32(fake)), rtol=1e-6)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_losses_are_of_each_example_alone(name):
    for loss in (critic_loss, generator_loss):
        whole = loss(name, REAL, FAKE)
        each = jax.vmap(functools.partial(loss, name))(REAL, FAKE)
        np.testing.assert_allclose(whole, each, rtol=1e-6)
