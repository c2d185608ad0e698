"""Masking: how many, which, what stands there instead; whole words; rows without any."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core import tokens
from genjax.data.text.masking import mask_tokens, num_masked, word_starts

V, B, T = 40, 64, 50
X = np.random.RandomState(1).randint(tokens.NUM_SPECIALS, V, (B, T))
X = np.where(np.arange(T) < np.arange(B)[:, None] % (T + 1), X, tokens.PAD)  # lengths 0 … 50
# Tokens below 20 begin words, those from 20 on may go on with one.
PARTS = bytes([0] * tokens.NUM_SPECIALS + [2] * 15 + [3] * 20)


def noise(shape, seed=0):
    return np.random.RandomState(seed).rand(*shape, 3).astype(np.float32)


@functools.partial(jax.jit, static_argnames=("rate", "word_parts"))
def masked_by(x, noise, **options):
    return mask_tokens(x, noise, vocab_size=V, **options)


def masked(x=X, seed=0, **options):
    return jax.tree.map(np.asarray, masked_by(x, noise(x.shape, seed), **options))


def chosen(found, x=X):
    """Positions to guess as a bool (B, T)."""
    rows = np.zeros(x.shape, bool)
    for row, positions, targets in zip(rows, found.positions, found.targets):
        row[positions[targets != tokens.PAD]] = True
    return rows


@pytest.mark.parametrize("rate", [0.15, 0.5])
def test_a_share_of_the_real_tokens_is_guessed_and_the_targets_are_they(rate):
    found = masked(rate=rate)
    n = np.asarray(tokens.lengths(X), np.float32)
    want = np.where(n > 0, np.maximum(np.round(np.float32(rate) * n), 1), 0)
    there = found.targets != tokens.PAD
    np.testing.assert_array_equal(there.sum(1), want)
    assert found.positions.shape == (B, num_masked(T, rate))
    at = np.take_along_axis(np.asarray(X), np.asarray(found.positions), 1)
    np.testing.assert_array_equal(found.targets, np.where(there, at, tokens.PAD))
    # No position twice; what is not guessed stays.
    np.testing.assert_array_equal(chosen(found).sum(1), want)
    np.testing.assert_array_equal(found.inputs[~chosen(found)], X[~chosen(found)])


def test_eight_in_ten_are_hidden_one_is_another_one_stays():
    x = np.random.RandomState(2).randint(tokens.NUM_SPECIALS, V, (800, T))
    found = masked(x)
    shown, old = found.inputs[chosen(found, x)], x[chosen(found, x)]
    n = len(old)  # 6,400
    hidden = np.mean(shown == tokens.MASK)
    same = np.mean(shown == old)
    assert abs(hidden - 0.8) < 5 * np.sqrt(0.8 * 0.2 / n)
    assert abs(same - (0.1 + 0.1 / (V - tokens.NUM_SPECIALS))) < 5 * np.sqrt(0.1 * 0.9 / n)
    others = shown[(shown != tokens.MASK) & (shown != old)]
    assert set(np.unique(others)) == set(range(tokens.NUM_SPECIALS, V))


def test_special_tokens_are_never_guessed():
    x = X.copy()
    x[:, ::3], x[:, 1], x[:, 2] = tokens.EOS, tokens.BOS, tokens.UNK
    found = masked(x, rate=0.5)
    assert (x[chosen(found, x)] >= tokens.NUM_SPECIALS).all()


def test_masks_are_drawn_anew_and_rows_do_not_see_each_other():
    first, second = masked(), masked(seed=5)
    assert not np.array_equal(first.inputs, second.inputs)
    part = masked_by(X[7:9], noise(X.shape)[7:9])
    np.testing.assert_array_equal(part.inputs, first.inputs[7:9])


def test_every_place_is_as_likely():
    x = np.full((800, T), 7)
    share, rate = chosen(masked(x), x).mean(0), num_masked(T, 0.15) / T
    assert np.abs(share - rate).max() < 5 * np.sqrt(rate * (1 - rate) / 800)


def test_rows_without_tokens_have_no_targets():
    found = masked(np.zeros((B, T), np.int64))
    assert not found.inputs.any() and not found.targets.any() and not found.positions.any()


def test_whole_words_are_guessed_together():
    found = masked(rate=0.3, word_parts=PARTS)
    mask, starts, x = chosen(found), np.asarray(word_starts(X, PARTS)), np.asarray(X)
    most = num_masked(T, 0.3)
    number = np.cumsum(starts, axis=1)
    total = 0
    for row in range(B):
        real = x[row] >= tokens.NUM_SPECIALS
        words = [(number[row] == i) & real for i in range(1, number[row].max() + 1)]
        words = [word for word in words if word.any()]
        assert all(mask[row][word].all() or not mask[row][word].any() for word in words)
        assert mask[row].sum() <= most
        if words and min(word.sum() for word in words) == max(word.sum() for word in words) == 1:
            assert mask[row].any()
        total += mask[row].sum()
    assert 0.2 < total / (x != 0).sum() <= 0.32
    np.testing.assert_array_equal(found.inputs[~mask], X[~mask])


def test_words_begin_where_letters_do_not_touch():
    #              begins  goes on  punctuation  begins inside, ends outside
    parts = bytes([0] * 5 + [2, 3, 0, 1])
    x = jnp.array([[5, 6, 6, 7, 6, 5, 8, 6, 0]])
    assert word_starts(x, parts).tolist() == [
        [True, False, False, True, True, True, False, True, True]
    ]
