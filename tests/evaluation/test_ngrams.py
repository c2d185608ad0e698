"""n-gram baselines: values worked out by hand, probabilities that sum to 1."""

import numpy as np
import pytest

from genjax.core import tokens
from genjax.evaluation.text.ngrams import NGrams

A, B, C = range(tokens.NUM_SPECIALS, tokens.NUM_SPECIALS + 3)
V = tokens.NUM_SPECIALS + 3
UNIFORM = 1 / (V - 3)  # PAD, BOS and MASK are never asked for


def distribution(model, context):
    """Probabilities of all tokens that can follow."""
    asked = [t for t in range(V) if t not in (tokens.PAD, tokens.BOS, tokens.MASK)]
    ends = [model.log_probabilities(np.array([*context, t]))[-1] for t in asked]
    return dict(zip(asked, np.exp(ends)))


def test_unigrams_are_discounted_frequencies():
    model = NGrams(np.array([A, A, B, B, A, C]), V, 1)  # counts 3, 2, 1: D = 1 / (1 + 2) = 1/3
    p = distribution(model, [])
    for token, count in ((A, 3), (B, 2), (C, 1)):
        assert p[token] == pytest.approx((count - 1 / 3) / 6 + (3 * (1 / 3) / 6) * UNIFORM)
    assert p[tokens.EOS] == pytest.approx((1 / 6) * UNIFORM)


def test_bigrams_by_hand():
    """a b a b a c: bigrams (BOS a) 1, (a b) 2, (b a) 2, (a c) 1, so n1 = 2, n2 = 2, D = 1/3.

    Continuations: a after BOS and b, b after a, c after a: 2, 1, 1 of 4, n1 = 2, n2 = 1, D = 1/2.
    """
    model = NGrams(np.array([A, B, A, B, A, C]), V, 2)
    lower = {
        A: 1.5 / 4 + (3 * 0.5 / 4) * UNIFORM,
        B: 0.5 / 4 + (3 * 0.5 / 4) * UNIFORM,
        C: 0.5 / 4 + (3 * 0.5 / 4) * UNIFORM,
    }
    p = distribution(model, [A])
    assert p[B] == pytest.approx((2 - 1 / 3) / 3 + (2 / 3 / 3) * lower[B])
    assert p[C] == pytest.approx((1 - 1 / 3) / 3 + (2 / 3 / 3) * lower[C])
    assert p[A] == pytest.approx((2 / 3 / 3) * lower[A])
    unseen = distribution(model, [C])  # a context that the text does not have
    assert unseen[A] == pytest.approx(lower[A])


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_probabilities_sum_to_one_after_any_context(order):
    rng = np.random.default_rng(0)
    text = rng.integers(1, V, 300)
    model = NGrams(text[text != tokens.MASK], V, order)
    for context in ([], [A], [B, C], [C, A, tokens.EOS], [tokens.BOS], [A, tokens.BOS, B]):
        assert sum(distribution(model, context).values()) == pytest.approx(1)


def test_higher_orders_know_more_of_a_text_with_a_rule():
    rng = np.random.default_rng(1)
    start = rng.integers(0, 3, 2000)
    text = np.stack([start, (start + 1) % 3, (2 * start) % 3], 1).ravel() + A
    nats = [-NGrams(text[:3000], V, n).log_probabilities(text[3000:]).mean() for n in (1, 2, 3)]
    assert nats[0] > nats[1] > nats[2] > 0


def test_padding_and_bos_are_not_asked_for():
    rows = np.array([tokens.BOS, A, B, tokens.EOS, tokens.BOS, A, tokens.EOS, tokens.PAD])
    model = NGrams(rows, V, 2)
    assert len(model.log_probabilities(rows)) == 5
    np.testing.assert_array_equal(model.log_probabilities(rows), model.log_probabilities(rows[:-1]))


@pytest.mark.parametrize(("order", "vocab_size"), [(0, V), (8, 10_000)])
def test_an_order_that_cannot_be_counted_is_refused(order, vocab_size):
    with pytest.raises(ValueError, match="order="):
        NGrams(np.array([A, B]), vocab_size, order)
