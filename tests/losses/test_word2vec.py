"""Losses of word2vec against sums over single pairs."""

import jax
import numpy as np
import pytest
from scipy.special import expit

from genjax import losses

RNG = np.random.default_rng(0)
POSITIVE, NEGATIVE = 3 * RNG.normal(size=(2, 4, 5)), 3 * RNG.normal(size=(2, 4, 7))
MASK = (RNG.random((2, 4, 5)) < 0.5).astype(float)
SIGN = np.array([[1, -1, 1, 0, 0], [-1, -1, 1, -1, 1]], float)


def test_negative_sampling_is_a_sum_over_pairs():
    expected = np.zeros((2, 4))
    for g, t, s in np.argwhere(MASK):
        noise = -np.log(expit(-NEGATIVE[g, t])).mean()
        expected[g, t] += -np.log(expit(POSITIVE[g, t, s])) + 3 * noise
    for positive in (POSITIVE, np.where(MASK == 0, 100.0, POSITIVE)):
        got = losses.negative_sampling_loss(positive, MASK, NEGATIVE, 3)
        np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_hierarchical_softmax_is_a_product_of_choices():
    score = POSITIVE[0, :2]
    expected = [-np.log(expit(s * x))[s != 0].sum() for s, x in zip(SIGN, score)]
    np.testing.assert_allclose(losses.hierarchical_softmax_loss(score, SIGN), expected, rtol=1e-12)


@pytest.mark.parametrize("scale", [0.0, 1e30])
def test_saturated_scores_and_empty_contexts_have_finite_gradients(scale):
    def total(x):
        return losses.negative_sampling_loss(x, MASK * 0, -x, 5).sum() + (
            losses.hierarchical_softmax_loss(x, np.zeros((2, 4, 5))).sum()
        )

    value, gradient = jax.value_and_grad(total)(scale * POSITIVE)
    assert value == 0 and np.isfinite(gradient).all()
    gradient = jax.grad(lambda x: losses.negative_sampling_loss(x, MASK, x, 5).sum())(
        scale * POSITIVE
    )
    assert np.isfinite(gradient).all()
