"""Penalties on codes against SciPy, the Jacobian itself and the closed form of one layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from genjax import losses

BATCH, SIZE, HIDDEN, LATENT = 5, 6, 4, 3


def layer(seed=0, inputs=SIZE, outputs=LATENT):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(inputs, outputs)), rng.normal(size=outputs)


def examples(*shape):
    return np.random.default_rng(1).normal(size=shape)


def one_layer(params, x):
    w, b = params
    return jax.nn.sigmoid(x.reshape(len(x), -1) @ w + b)


def test_rate_divergence_equals_scipys():
    rate = np.linspace(0.001, 0.999, 50)
    for target in (0.05, 0.5, 0.9):
        expected = special.rel_entr(target, rate) + special.rel_entr(1 - target, 1 - rate)
        np.testing.assert_allclose(losses.sparsity_kl(rate, target), expected, atol=1e-15)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_rates_of_0_and_1_are_finite_in_few_bits(dtype):
    rate = jnp.array([0.0, 1.0], dtype)
    value, gradient = jax.value_and_grad(lambda r: losses.sparsity_kl(r, 0.05).sum())(rate)
    assert value.dtype == jnp.float32 and np.isfinite(value) and np.isfinite(gradient).all()


@pytest.mark.parametrize("shape", [(BATCH, SIZE), (BATCH, 3, 2, 1)])
def test_contraction_of_one_sigmoid_layer_equals_its_closed_form(shape):
    w, b = params = layer()
    x = examples(*shape)
    h = special.expit(x.reshape(BATCH, -1) @ w + b)
    expected = ((h * (1 - h)) ** 2 * (w**2).sum(0)).sum(1)  # Rifai et al. 2011, section 3.3
    value = losses.contractive_penalty(lambda x: one_layer(params, x), x)
    assert value.shape == (BATCH,)
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_contraction_of_two_layers_and_its_gradient_are_those_of_the_jacobian():
    params, x = (layer(0, SIZE, HIDDEN), layer(2, HIDDEN, LATENT)), examples(BATCH, SIZE)

    def encode(params, x):
        first, (w, b) = params
        return jnp.tanh(one_layer(first, x) @ w + b)

    def by_jacobian(params, x):
        rows = jax.vmap(jax.jacfwd(lambda x: encode(params, x[None])[0]))(x)
        return (rows**2).sum((1, 2)).mean()

    def ours(params, x):
        return losses.contractive_penalty(lambda x: encode(params, x), x).mean()

    expected, actual = (jax.jit(jax.value_and_grad(f))(params, x) for f in (by_jacobian, ours))
    jax.tree.map(lambda a, e: np.testing.assert_allclose(a, e, rtol=1e-11), actual, expected)


def test_a_flat_encoder_costs_nothing_and_bfloat16_is_reduced_in_float32():
    x = jnp.bfloat16(examples(2, 4096))
    slope = jnp.full((4096, 1), 2.0**-6, jnp.bfloat16)  # 4,096 squares of 2**-12: 1 in all
    value = losses.contractive_penalty(lambda x: x @ slope, x)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, 1.0, rtol=1e-6)
    value, gradient = jax.value_and_grad(
        lambda p: losses.contractive_penalty(lambda x: one_layer(p, x), examples(BATCH, SIZE)).sum()
    )(jax.tree.map(np.zeros_like, layer()))
    assert value == 0 and all(np.isfinite(g).all() for g in gradient)
