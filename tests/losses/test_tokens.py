"""Cross-entropy of tokens against SciPy; chunks against the whole."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.special import log_softmax, logsumexp

from genjax.core.tokens import PAD
from genjax.losses import chunked_cross_entropy, token_cross_entropy
from genjax.ops.cross_entropy import token_logits

BATCH, LENGTH, WIDTH, VOCAB = 3, 7, 4, 11
OPTIONS = [{}, {"label_smoothing": 0.1}, {"z_loss": 0.01}, {"label_smoothing": 0.3, "z_loss": 0.1}]


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def draw(seed=0):
    rng = np.random.default_rng(seed)
    target = rng.integers(1, VOCAB, (BATCH, LENGTH)).astype(np.int32)
    target[0, 4:] = target[2, 1:] = PAD
    hidden = rng.normal(size=(BATCH, LENGTH, WIDTH))
    return hidden, rng.normal(size=(WIDTH, VOCAB)), rng.normal(size=VOCAB), target


def oracle(logits, target, label_smoothing=0.0, z_loss=0.0):
    wanted = np.eye(VOCAB)[target] * (1 - label_smoothing) + label_smoothing / VOCAB
    nll = -(wanted * log_softmax(logits, -1)).sum(-1) + z_loss * logsumexp(logits, -1) ** 2
    return np.where(target == PAD, 0.0, nll)


@pytest.mark.parametrize("options", OPTIONS)
def test_values_are_scipys_and_gradients_finite_differences(options, float64):
    hidden, kernel, bias, target = draw()
    logits = 3 * (hidden @ kernel + bias)
    value = token_cross_entropy(logits, target, **options)
    np.testing.assert_allclose(value, oracle(logits, target, **options), rtol=1e-12)
    check_grads(lambda x: token_cross_entropy(x, target, **options).sum(), (logits,), order=2)


def test_padding_has_no_value_and_no_gradient(float64):
    hidden, kernel, bias, target = draw()
    logits = hidden @ kernel + bias
    gradient = jax.grad(lambda x: token_cross_entropy(x, target, z_loss=1.0).sum())(logits)
    assert (gradient[target == PAD] == 0).all() and (gradient[target != PAD] != 0).any()
    nothing = token_cross_entropy(logits, np.full_like(target, PAD))
    assert (nothing == 0).all()


def test_saturated_logits_and_bfloat16_are_computed_in_float32():
    logits = jnp.array([[[1e4, -1e4, 0.0], [3e38, 1.0, 2.0]]], jnp.bfloat16)
    target = jnp.array([[1, 1]])
    value, gradient = jax.value_and_grad(lambda x: token_cross_entropy(x, target)[0, 0])(logits)
    assert value.dtype == jnp.float32 and gradient.dtype == jnp.bfloat16
    np.testing.assert_allclose(value, float(logits[0, 0, 0]) * 2, rtol=1e-6)
    assert jnp.isfinite(gradient).all()


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("chunk", [1, 2, 7, 10])
def test_chunks_give_the_value_and_gradients_of_the_whole(chunk, options, float64):
    hidden, kernel, bias, target = draw()
    weight = np.random.default_rng(1).normal(size=target.shape)

    def whole(hidden, kernel, bias):
        nll = token_cross_entropy(token_logits(hidden, kernel, bias), target, **options)
        return (weight * nll).sum(), nll

    def chunked(hidden, kernel, bias):
        nll = chunked_cross_entropy(hidden, kernel, target, chunk=chunk, bias_V=bias, **options)
        return (weight * nll).sum(), nll

    arguments = (hidden, kernel, bias)
    expected, expected_nll = jax.grad(whole, (0, 1, 2), has_aux=True)(*arguments)
    found, nll = jax.jit(jax.grad(chunked, (0, 1, 2), has_aux=True))(*arguments)
    np.testing.assert_allclose(nll, expected_nll, rtol=1e-10)
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_chunks_hold_a_part_of_the_logits():
    """Forward and backward, the memory grows with the chunk and not with the text."""

    def temporary_bytes(chunk):
        def loss(hidden, kernel, target):
            if not chunk:
                return token_cross_entropy(token_logits(hidden, kernel), target).sum()
            return chunked_cross_entropy(hidden, kernel, target, chunk=chunk).sum()

        shapes = [(2, 128, 8), (8, 5000)]
        arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
        target = jax.ShapeDtypeStruct((2, 128), jnp.int32)
        compiled = jax.jit(jax.grad(loss, (0, 1))).lower(*arrays, target).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    logits = 2 * 128 * 5000 * 4
    assert temporary_bytes(0) >= logits
    assert temporary_bytes(8) < logits / 4


def test_gradients_of_the_weights_are_summed_in_float32():
    hidden, kernel, _, target = draw()
    hidden = jnp.tile(jnp.asarray(hidden, jnp.bfloat16), (1, 64, 1))
    target = np.tile(target, (1, 64))

    def gradient(chunk):
        return jax.grad(
            lambda k: chunked_cross_entropy(hidden, k, target, chunk=chunk).sum()
        )(jnp.asarray(kernel, jnp.float32))  # fmt: skip

    assert gradient(1).dtype == jnp.float32
    whole = gradient(64 * LENGTH)
    np.testing.assert_allclose(gradient(1), whole, atol=0.01 * float(jnp.abs(whole).max()))
