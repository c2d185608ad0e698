"""Losses of outputs against targets, by NumPy and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from genjax import losses

LOSSES = [losses.squared_error, losses.bernoulli_cross_entropy]


def draw(*shape):
    rng = np.random.default_rng(0)
    return 3 * rng.normal(size=shape), rng.uniform(size=shape)


def squared_error_by_hand(output, target):
    return ((output - target) ** 2).reshape(len(output), -1).mean(1)


def cross_entropy_by_hand(logits, target):
    """-t log p - (1 - t) log(1 - p), by SciPy's own log of the logistic function."""
    each = -target * special.log_expit(logits) - (1 - target) * special.log_expit(-logits)
    return each.reshape(len(logits), -1).mean(1)


@pytest.mark.parametrize("shape", [(4, 3, 2, 2), (4, 7), (4,)])
def test_losses_are_means_over_elements(shape):
    output, target = draw(*shape)
    for loss, by_hand in zip(LOSSES, (squared_error_by_hand, cross_entropy_by_hand)):
        value = loss(output, target)
        assert value.shape == shape[:1] and value.dtype == jnp.float64
        np.testing.assert_allclose(value, by_hand(output, target), rtol=1e-12)


def test_labels_are_judged_by_the_log_softmax():
    logits, label = draw(5, 4)[0], np.array([0, 3, 1, 2, 2])
    expected = -special.log_softmax(logits, 1)[np.arange(5), label]
    np.testing.assert_allclose(losses.label_cross_entropy(logits, label), expected, rtol=1e-12)


def test_saturated_logits_stay_finite():
    logit, target = np.meshgrid([0.0, -100, 100, -1e4, 1e4, -3e38, 3e38], [0.0, 0.5, 1.0])
    logit, target = (np.float32(a).reshape(-1, 1) for a in (logit, target))
    value = losses.bernoulli_cross_entropy(logit, target)
    gradient = jax.grad(lambda x: losses.bernoulli_cross_entropy(x, target).sum())(logit)
    expected = cross_entropy_by_hand(np.float64(logit), np.float64(target))
    np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(gradient, special.expit(logit) - target, atol=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
def test_bfloat16_is_reduced_in_float32(loss):
    output, target = (jnp.bfloat16(x) for x in draw(2, 5000))
    value = loss(output, target)
    assert value.dtype == jnp.float32
    exact = loss(output.astype(jnp.float32), target.astype(jnp.float32))
    np.testing.assert_allclose(value, exact, rtol=1e-6)
