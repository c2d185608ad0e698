"""Penalties on codes against SciPy, the Jacobian itself and the closed form of one layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import special

from genjax import losses

BATCH, SIZE, HIDDEN, LATENT = 5, 6, 4, 3


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def layer(seed=0, inputs=SIZE, outputs=LATENT):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(inputs, outputs)), rng.normal(size=outputs)


def examples(shape=(BATCH, SIZE), seed=1):
    return np.random.default_rng(seed).normal(size=shape)


def one_layer(params, x):
    w, b = params
    return jax.nn.sigmoid(x.reshape(len(x), -1) @ w + b)


def two_layers(params, x):
    first, (w, b) = params
    return jnp.tanh(one_layer(first, x) @ w + b)


def test_rate_divergence_equals_scipys():
    rate = np.linspace(0.001, 0.999, 50)
    for target in (0.05, 0.5, 0.9):
        expected = special.rel_entr(target, rate) + special.rel_entr(1 - target, 1 - rate)
        np.testing.assert_allclose(losses.sparsity_kl(rate, target), expected, atol=1e-15)


def test_rate_divergence_is_0_at_the_target_alone():
    assert losses.sparsity_kl(np.array(0.3), 0.3) == 0
    assert jax.grad(lambda r: losses.sparsity_kl(r, 0.3))(0.3) == pytest.approx(0)
    assert (losses.sparsity_kl(np.array([0.29, 0.31]), 0.3) > 0).all()
    check_grads(lambda r: losses.sparsity_kl(r, 0.3), (np.linspace(0.1, 0.9, 9),), order=2)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_rates_of_0_and_1_are_finite_in_few_bits(dtype):
    rate = jnp.array([0.0, 1.0], dtype)
    value, gradient = jax.value_and_grad(lambda r: losses.sparsity_kl(r, 0.05).sum())(rate)
    assert value.dtype == jnp.float32 and np.isfinite(value) and np.isfinite(gradient).all()


def test_contraction_of_one_sigmoid_layer_equals_its_closed_form():
    w, b = params = layer()
    x = examples()
    h = special.expit(x @ w + b)
    expected = ((h * (1 - h)) ** 2 * (w**2).sum(0)).sum(1)  # Rifai et al. 2011, section 3.3
    value = losses.contractive_penalty(lambda x: one_layer(params, x), x)
    assert value.shape == (BATCH,)
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_contraction_and_its_gradient_equal_those_of_the_jacobian():
    params, x = (layer(0, SIZE, HIDDEN), layer(2, HIDDEN, LATENT)), examples()

    def by_jacobian(params, x):
        rows = jax.vmap(jax.jacfwd(lambda x: two_layers(params, x[None])[0]))(x)
        return (rows**2).sum((1, 2)).mean()

    def ours(params, x):
        return losses.contractive_penalty(lambda x: two_layers(params, x), x).mean()

    expected = jax.value_and_grad(by_jacobian)(params, x)
    actual = jax.value_and_grad(ours)(params, x)
    jax.tree.map(lambda a, e: np.testing.assert_allclose(a, e, rtol=1e-11), actual, expected)
    check_grads(lambda p: ours(p, x), (params,), order=1)


def test_images_have_one_norm_over_all_pixels():
    params, x = layer(), examples((BATCH, 3, 2, 1))
    value = losses.contractive_penalty(lambda x: one_layer(params, x), x)
    flat = losses.contractive_penalty(lambda x: one_layer(params, x), x.reshape(BATCH, -1))
    np.testing.assert_allclose(value, flat, rtol=1e-13)


def test_contraction_does_not_mix_examples_and_vmaps():
    params, x = [layer(s) for s in range(3)], examples()
    stacked = jax.tree.map(lambda *p: np.stack(p), *params)

    def ours(params, x):
        return losses.contractive_penalty(lambda x: one_layer(params, x), x)

    together = jax.vmap(ours, (0, None))(stacked, x)
    for i, p in enumerate(params):
        each = [ours(p, x[j : j + 1])[0] for j in range(BATCH)]
        np.testing.assert_allclose(together[i], each, rtol=1e-12)


def test_a_flat_encoder_costs_nothing_and_bfloat16_is_reduced_in_float32():
    zero = jax.tree.map(np.zeros_like, layer())
    x = jnp.bfloat16(examples((2, 4096)))
    slope = jnp.full((4096, 1), 2.0**-6, jnp.bfloat16)  # 4,096 squares of 2**-12: 1 in all
    value = losses.contractive_penalty(lambda x: x @ slope, x)
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, 1.0, rtol=1e-6)
    value, gradient = jax.value_and_grad(
        lambda p: losses.contractive_penalty(lambda x: one_layer(p, x), examples()).sum()
    )(zero)
    assert value == 0 and all(np.isfinite(g).all() for g in gradient)
