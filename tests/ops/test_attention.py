"""Attention against NumPy in float64; what must not be seen is not, exactly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from genjax.ops import attention
from genjax.ops.masks import causal_mask, segment_mask
from genjax.ops.platform import traced_for
from tests.ops.agree import assert_agree

B, Q, K, D = 2, 3, 5, 4


def draw(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def test_scores_are_those_of_their_papers():
    query, key, weight = draw((B, Q, D), (B, K, D), (D,))
    dot, additive = np.zeros((2, B, Q, K))
    for b, q, k in np.ndindex(B, Q, K):
        dot[b, q, k] = query[b, q] @ key[b, k]
        additive[b, q, k] = weight @ np.tanh(query[b, q] + key[b, k])
    np.testing.assert_allclose(attention.dot_scores(query, key), dot, rtol=1e-12)
    np.testing.assert_allclose(attention.additive_scores(query, key, weight), additive, rtol=1e-12)


def test_answers_are_means_of_what_may_be_seen():
    scores, value = draw((B, Q, K), (B, K, D))
    mask = np.random.default_rng(3).random((B, Q, K)) < 0.6
    mask[:, :, 0] = True
    answers, weights = attention.attend(scores, value, mask)
    for b, q in np.ndindex(B, Q):
        seen = mask[b, q]
        expected = softmax(scores[b, q, seen]) @ value[b, seen]
        np.testing.assert_allclose(answers[b, q], expected, rtol=1e-12)
        assert (weights[b, q, ~seen] == 0).all()
    np.testing.assert_allclose(weights.sum(-1), 1)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_heads_are_attention_by_themselves(groups):
    """Vaswani et al. 2017, equation 1, of each head and its group's keys."""
    heads = 4
    mask = np.random.default_rng(3).random((B, Q, K)) < 0.7
    mask[..., 0] = True

    def plain(query, key, value):
        key, value = (jnp.repeat(x, heads // groups, 1) for x in (key, value))
        scores = jnp.einsum("bhqd,bhkd->bhqk", query, key) / np.sqrt(D)
        weights = jax.nn.softmax(jnp.where(mask[:, None], scores, -jnp.inf))
        return weights @ value

    def ours(query, key, value):
        return attention.multi_head_attention(query, key, value, mask)

    assert_agree(ours, plain, *draw((B, heads, Q, D), (B, groups, K, D), (B, groups, K, D)))


@pytest.mark.parametrize("kind", ["packed", "array", "all"])
def test_blocks_of_queries_are_answered_as_all_are(kind, monkeypatch):
    queries, keys = 4, 6
    segments = np.array([[1, 1, 1, 2, 2, 2], [1, 2, 2, 3, 3, 0]])
    packed = causal_mask(queries, keys) & segment_mask(segments[:, 2:], segments)
    mask = {"packed": packed, "array": packed.dense(), "all": None}[kind]
    monkeypatch.setattr(attention, "_LEAST", 1)

    def ours(lowering):
        return lambda *heads: attention.multi_head_attention(*heads, mask, lowering=lowering)

    heads = draw((B, 4, queries, D), (B, 2, keys, D), (B, 2, keys, D))
    with traced_for("cuda"):
        assert attention._blocks(B * 4, queries, keys) == 1
        monkeypatch.setattr(attention, "_SCORES", 4 * B * 4 * keys)
        assert attention._blocks(B * 4, queries, keys) == queries
        assert_agree(ours("auto"), ours("plain"), *heads, order=1)


def test_what_is_masked_has_no_weight_and_no_gradient_exactly():
    query, key, value = draw((B, 2, Q, D), (B, 2, K, D), (B, 2, K, D))
    mask = np.arange(K) < np.array([2, K])[:, None, None]  # (B, 1, K)

    def total(key, value):
        return jnp.sin(attention.multi_head_attention(query, key, value, mask)).sum()

    for gradient in jax.grad(total, (0, 1))(key, value):
        assert (gradient[0, :, 2:] == 0).all()
        assert (gradient[0, :, :2] != 0).all() and (gradient[1] != 0).all()
    huge = value.copy()
    huge[0, :, 2:] = 1e30
    np.testing.assert_array_equal(
        attention.multi_head_attention(query, key, value, mask),
        attention.multi_head_attention(query, key, huge, mask),
    )


def test_a_query_that_sees_nothing_is_answered_by_zeros_with_finite_gradients():
    query, key, value = draw((1, 1, Q, D), (1, 1, K, D), (1, 1, K, D))
    mask = np.ones((1, Q, K), bool)
    mask[0, 1] = False

    def total(query, key, value):
        answers = attention.multi_head_attention(query, key, value, mask)
        return (answers**2).sum(), answers

    gradients, answers = jax.grad(total, (0, 1, 2), has_aux=True)(query, key, value)
    assert (answers[0, 0, 1] == 0).all() and (answers[0, 0, 0] != 0).all()
    assert all(np.isfinite(g).all() for g in gradients)
    assert (gradients[0][0, 0, 1] == 0).all()


def test_large_scores_neither_overflow_nor_mix_with_float16_sums():
    scores = jnp.array([[[1e30, 1e30, -1e30]]], jnp.float32)
    np.testing.assert_allclose(attention.masked_softmax(scores), [[[0.5, 0.5, 0.0]]])
    small = jnp.ones((1, 1, 4096), jnp.bfloat16)
    assert attention.masked_softmax(small).dtype == jnp.float32
    np.testing.assert_allclose(attention.masked_softmax(small).sum(), 1, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(0, 6))
def test_masked_equals_subset(seed, seen, hidden):
    """Whatever stands behind the mask, the answers are those without it."""
    rng = np.random.default_rng(seed)
    keys = seen + hidden
    query, key, value = (rng.normal(size=(1, 1, n, D)) for n in (Q, keys, keys))
    chosen = np.sort(rng.permutation(keys)[:seen])
    mask = np.isin(np.arange(keys), chosen)[None, None]
    found = attention.multi_head_attention(query, key, value, mask)
    part = attention.multi_head_attention(query, key[:, :, chosen], value[:, :, chosen])
    np.testing.assert_allclose(found, part, rtol=1e-10, atol=1e-12)


HEADS = np.ones((B, 2, K, D))
MASKS = {
    "of keys": ((B, K), bool, "mask: must be a number, or have the axes of the weights of a head"),
    "by heads": ((B, 2, K, K), bool, r"mask: .*has shape \(2, 2, 5, 5\)"),
    "that is added": ((B, K, K), float, "mask: must hold booleans, not float64"),
}


@pytest.mark.parametrize("kind", MASKS)
def test_masks_of_other_shapes_or_numbers_are_refused(kind):
    shape, dtype, message = MASKS[kind]
    with pytest.raises(ValueError, match=message):
        attention.multi_head_attention(HEADS, HEADS, HEADS, np.ones(shape, dtype))


def test_keys_of_other_rows_are_refused():
    with pytest.raises(ValueError, match=r"key: .*B=2 of query"):
        attention.additive_scores(np.ones((B, Q, D)), np.ones((1, K, D)), np.ones(D))
