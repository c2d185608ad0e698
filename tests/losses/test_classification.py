"""Margin losses and distillation, by NumPy, scikit-learn and SciPy."""

import jax
import numpy as np
import pytest
from scipy import special, stats
from sklearn import metrics

from genjax import losses

LABEL = np.array([0, 3, 1, 2, 2])


@pytest.fixture
def scores():
    return 2 * np.random.default_rng(0).normal(size=(5, 4))


def test_hinges_are_one_class_against_the_rest(scores):
    target = np.where(LABEL[:, None] == np.arange(4), 1, -1)
    slack = np.maximum(1 - target * scores, 0)
    np.testing.assert_allclose(losses.hinge_loss(scores, LABEL), slack.sum(1), rtol=1e-12)
    np.testing.assert_allclose(
        losses.squared_hinge_loss(scores, LABEL), (slack**2).sum(1), rtol=1e-12
    )


def test_crammer_singer_is_scikit_learns_hinge_loss(scores):
    value = losses.crammer_singer_loss(scores, LABEL)
    expected = metrics.hinge_loss(LABEL, scores, labels=range(4))
    np.testing.assert_allclose(value.mean(), expected, rtol=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_distillation_is_a_divergence_at_a_temperature(scores, temperature):
    teacher = np.random.default_rng(1).normal(size=scores.shape)
    p, q = (special.softmax(x / temperature, 1) for x in (teacher, scores))
    value = losses.distillation_loss(scores, teacher, temperature)
    np.testing.assert_allclose(value, temperature**2 * stats.entropy(p, q, axis=1), rtol=1e-9)


def test_at_a_high_temperature_it_matches_centered_logits(scores):
    """Hinton et al. 2015, equation 4: the gradient becomes that of squared differences / 2N."""
    teacher = np.random.default_rng(1).normal(size=scores.shape)
    gradient = jax.grad(lambda s: losses.distillation_loss(s, teacher, 1e6).sum())(scores)
    centered = [x - x.mean(1, keepdims=True) for x in (scores, teacher)]
    np.testing.assert_allclose(gradient, (centered[0] - centered[1]) / 4, atol=1e-5)


def test_smoothed_labels_are_a_mixture_with_the_uniform(scores):
    target = 0.9 * np.eye(4)[LABEL] + 0.1 / 4
    expected = -(target * special.log_softmax(scores, 1)).sum(1)
    value = losses.label_cross_entropy(scores, LABEL, label_smoothing=0.1)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
