"""Cross-entropy of tokens against SciPy; chunks against the whole."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

from genjax.core.tokens import PAD
from genjax.losses import chunked_cross_entropy, token_cross_entropy

BATCH, LENGTH, WIDTH, VOCAB = 3, 7, 4, 11
OPTIONS = [{}, {"label_smoothing": 0.1}, {"z_loss": 0.01}, {"label_smoothing": 0.3, "z_loss": 0.1}]
RNG = np.random.default_rng(0)
HIDDEN, KERNEL, BIAS = (RNG.normal(size=s) for s in ((BATCH, LENGTH, WIDTH), (WIDTH, VOCAB), VOCAB))
LOGITS = HIDDEN @ KERNEL + BIAS
TARGET = RNG.integers(1, VOCAB, (BATCH, LENGTH)).astype(np.int32)
TARGET[0, 4:] = TARGET[2, 1:] = PAD


@pytest.mark.parametrize("options", OPTIONS)
def test_values_are_scipys_in_chunks_too(options):
    smoothing, z_loss = options.get("label_smoothing", 0.0), options.get("z_loss", 0.0)
    wanted = np.eye(VOCAB)[TARGET] * (1 - smoothing) + smoothing / VOCAB
    nll = -(wanted * log_softmax(LOGITS, -1)).sum(-1) + z_loss * logsumexp(LOGITS, -1) ** 2
    expected = np.where(TARGET == PAD, 0.0, nll)
    np.testing.assert_allclose(token_cross_entropy(LOGITS, TARGET, **options), expected, rtol=1e-12)
    for chunk in (2, 10):
        value = chunked_cross_entropy(HIDDEN, KERNEL, TARGET, chunk=chunk, bias_V=BIAS, **options)
        np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_padding_has_no_value_and_no_gradient():
    gradient = jax.grad(lambda x: token_cross_entropy(x, TARGET, z_loss=1.0).sum())(LOGITS)
    assert (gradient[TARGET == PAD] == 0).all() and (gradient[TARGET != PAD] != 0).any()
    assert (token_cross_entropy(LOGITS, np.full_like(TARGET, PAD)) == 0).all()


def test_saturated_logits_and_bfloat16_are_computed_in_float32():
    logits = jnp.array([[[1e4, -1e4, 0.0], [3e38, 1.0, 2.0]]], jnp.bfloat16)
    target = jnp.array([[1, 1]])
    value, gradient = jax.value_and_grad(lambda x: token_cross_entropy(x, target)[0, 0])(logits)
    assert value.dtype == jnp.float32 and gradient.dtype == jnp.bfloat16
    np.testing.assert_allclose(value, float(logits[0, 0, 0]) * 2, rtol=1e-6)
    assert jnp.isfinite(gradient).all()


def test_gradients_of_the_weights_are_summed_in_float32():
    hidden = jnp.tile(jnp.asarray(HIDDEN, jnp.bfloat16), (1, 64, 1))
    target, kernel = np.tile(TARGET, (1, 64)), jnp.asarray(KERNEL, jnp.float32)

    def gradient(chunk):
        return jax.grad(lambda k: chunked_cross_entropy(hidden, k, target, chunk=chunk).sum())(
            kernel
        )

    assert gradient(1).dtype == jnp.float32
    whole = gradient(64 * LENGTH)
    np.testing.assert_allclose(gradient(1), whole, atol=0.01 * float(jnp.abs(whole).max()))
