"""The mixture of written and copied words, held against probabilities in float64."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads
from scipy.special import expit, softmax

from genjax.core.tokens import PAD
from genjax.losses import copying_cross_entropy, copying_log_probabilities, token_cross_entropy

B, T, S, V = 3, 4, 5, 9
RNG = np.random.default_rng(0)
LOGITS, GATE = RNG.normal(size=(B, T, V)), RNG.normal(size=(B, T))
SOURCE = RNG.integers(1, V, (B, S)).astype(np.int32)
SOURCE[0, 1] = SOURCE[0, 0]  # a word that stands there twice
SOURCE[1, 3:] = PAD
TARGET = RNG.integers(1, V, (B, T)).astype(np.int32)
TARGET[0, 0], TARGET[2, 2:] = SOURCE[0, 0], PAD
WEIGHTS = softmax(np.where(SOURCE == PAD, -np.inf, 0)[:, None] + RNG.normal(size=(B, T, S)), -1)


def by_hand():
    """P, (B, T, V), of See et al.'s equation 9, word by word."""
    p = expit(GATE)[..., None] * softmax(LOGITS, -1)
    for b, t, i in np.ndindex(B, T, S):
        p[b, t, SOURCE[b, i]] += (1 - expit(GATE[b, t])) * WEIGHTS[b, t, i]
    return p


def test_values_are_those_of_the_mixture_and_of_all_words():
    p = by_hand()
    np.testing.assert_allclose(p.sum(-1), 1.0, rtol=1e-12)
    nll = -np.log(np.take_along_axis(p, TARGET[..., None], -1)[..., 0])
    got = copying_cross_entropy(LOGITS, WEIGHTS, GATE, SOURCE, TARGET)
    np.testing.assert_allclose(got, np.where(TARGET == PAD, 0, nll), rtol=1e-12)
    for t in range(T):
        each = copying_log_probabilities(LOGITS[:, t], WEIGHTS[:, t], GATE[:, t], SOURCE)
        np.testing.assert_allclose(np.exp(each), p[:, t], rtol=1e-12)


def test_gradients_are_those_of_differences():
    def mean(logits, scores, gate):
        weights = jax.nn.softmax(jnp.where(SOURCE == PAD, -jnp.inf, 0.0)[:, None] + scores)
        return copying_cross_entropy(logits, weights, gate, SOURCE, TARGET).mean()

    check_grads(mean, (LOGITS, RNG.normal(size=WEIGHTS.shape), GATE), order=1, modes=["rev"])


def test_a_sure_gate_and_rare_words_have_finite_values_and_gradients():
    """What is not in the source has the probability that is left to write, however small."""
    source, target = np.array([[5, 6]], np.int32), np.array([[7, 5]], np.int32)
    logits = jnp.zeros((1, 2, V), jnp.float32).at[..., 7].set(-300.0)
    weights = jnp.array([[[1.0, 0.0], [0.0, 1.0]]], jnp.float32)
    for gate in (-200.0, 200.0):
        of = jnp.full((1, 2), gate, jnp.float32)
        value, gradients = jax.value_and_grad(
            lambda *a: copying_cross_entropy(*a, source, target).sum(), argnums=(0, 1, 2)
        )(logits, weights, of)
        assert all(np.isfinite(x).all() for x in (value, *gradients))
        written = token_cross_entropy(logits, target) + np.logaddexp(0, -gate)
        np.testing.assert_allclose(value, written.sum(), rtol=1e-6)
