"""Reconstruction losses against float64 NumPy and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import special

from genjax import losses

SHAPE = (4, 3, 2, 2)
LOSSES = [losses.squared_error, losses.bernoulli_cross_entropy]


def draw(seed=0, scale=3.0, shape=SHAPE):
    rng = np.random.default_rng(seed)
    return scale * rng.normal(size=shape), rng.uniform(size=shape)


def squared_error_by_hand(output, target):
    return ((output - target) ** 2).reshape(len(output), -1).mean(1)


def cross_entropy_by_hand(logits, target):
    """-t log p - (1 - t) log(1 - p), by SciPy's own log of the logistic function."""
    each = -target * special.log_expit(logits) - (1 - target) * special.log_expit(-logits)
    return each.reshape(len(logits), -1).mean(1)


@pytest.mark.parametrize("shape", [SHAPE, (4, 7), (1, 5), (3, 1000)])
def test_losses_equal_numpy_in_float64(shape):
    with jax.enable_x64(True):
        output, target = draw(shape=shape)
        for loss, by_hand in zip(LOSSES, (squared_error_by_hand, cross_entropy_by_hand)):
            value = loss(output, target)
            assert value.shape == shape[:1] and value.dtype == jnp.float64
            np.testing.assert_allclose(value, by_hand(output, target), rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_pass_check_grads(loss):
    with jax.enable_x64(True):
        check_grads(lambda *a: loss(*a).mean(), draw(), order=2, modes=("fwd", "rev"))


def test_gradient_of_the_cross_entropy_is_probability_minus_target():
    with jax.enable_x64(True):
        logits, target = draw(scale=50.0)
        gradient = jax.grad(lambda x: losses.bernoulli_cross_entropy(x, target).sum())(logits)
        expected = (special.expit(logits) - target) / logits[0].size
        np.testing.assert_allclose(gradient, expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("target", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("logit", [0.0, -100.0, 100.0, -1e4, 1e4, -3e38, 3e38])
def test_saturated_logits_stay_finite(logit, target):
    logits, target = jnp.full((1, 2), logit), jnp.full((1, 2), target)
    value, gradient = jax.value_and_grad(lambda x: losses.bernoulli_cross_entropy(x, target).sum())(
        logits
    )
    expected = cross_entropy_by_hand(np.float64(logits), np.float64(target))
    np.testing.assert_allclose(value, expected[0], rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(gradient, (special.expit(logits) - target) / 2, atol=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
def test_bfloat16_is_reduced_in_float32(loss):
    output, target = (jnp.bfloat16(x) for x in draw(shape=(2, 5000)))
    value = loss(output, target)
    assert value.dtype == jnp.float32
    exact = loss(output.astype(jnp.float32), target.astype(jnp.float32))
    np.testing.assert_allclose(value, exact, rtol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_examples_do_not_mix_and_vmap_maps(loss):
    output, target = (jnp.float32(x) for x in draw())
    value = loss(output, target)
    np.testing.assert_allclose(value[1:3], loss(output[1:3], target[1:3]), rtol=1e-6)
    stacked = jax.vmap(loss)(jnp.stack([output, target]), jnp.stack([target, output]))
    np.testing.assert_allclose(stacked[0], value, rtol=1e-6)
    jacobian = jax.jacrev(lambda x: loss(x, target))(output)
    assert all((jacobian[i, j] == 0).all() for i in range(4) for j in range(4) if i != j)


@pytest.mark.parametrize("loss", LOSSES)
def test_shapes_that_would_broadcast_are_refused(loss):
    with pytest.raises(ValueError, match=r"target: .*\(1,\).*not \(4, 3\)"):
        loss(np.zeros((4, 1)), np.zeros((4, 3)))
