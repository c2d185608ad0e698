"""Corruption of sentences: what is lost, what stays, how often, and how far words go."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genjax.core.tokens import EOS, MASK, NUM_SPECIALS, PAD, UNK, lengths
from genjax.data.text.corruption import corrupt_tokens, drop_tokens, hide_tokens, swap_tokens

B, T = 200, 24
LENGTHS = np.arange(B) % (T + 1)  # EOS included; rows without any as well
RNG = np.random.default_rng(0)
X = np.where(np.arange(T) < LENGTHS[:, None] - 1, RNG.integers(NUM_SPECIALS, 99, (B, T)), PAD)
X[np.arange(B), np.maximum(LENGTHS - 1, 0)] = np.where(LENGTHS, EOS, PAD)
X = jnp.array(X, jnp.int32)
U = jax.random.uniform(jax.random.key(0), (B, T, 3))
WORDS = int((X >= NUM_SPECIALS).sum())

CORRUPTIONS = {
    "drop": lambda x, u: drop_tokens(x, u[..., 0], 0.3),
    "swap": lambda x, u: swap_tokens(x, u[..., 0], 3),
    "mask": lambda x, u: hide_tokens(x, u[..., 0], 0.3, MASK),
    "all": lambda x, u: corrupt_tokens(x, u, swap=3, drop=0.2, mask=0.2),
}


def words(rows):
    """The words of each row, in order."""
    return [[int(i) for i in row if i not in (PAD, EOS)] for row in np.asarray(rows)]


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_rows_stay_sentences(kind):
    """Words, then EOS where there was one, then padding; no row is longer than it was."""
    y = np.asarray(jax.jit(CORRUPTIONS[kind])(X, U))
    assert y.shape == X.shape and y.dtype == np.int32
    n = np.asarray(lengths(y))
    assert (n <= LENGTHS).all() and ((n > 0) == (LENGTHS > 0)).all()
    for row, count in zip(y, n):
        assert (row[:count] != PAD).all() and (row[count:] == PAD).all()
        assert (row[: max(count - 1, 0)] != EOS).all() and (not count or row[count - 1] == EOS)


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_words_are_dropped_at_their_rate_and_the_others_keep_their_order(rate):
    y = words(drop_tokens(X, U[..., 0], rate))
    dropped = 1 - sum(map(len, y)) / WORDS
    assert abs(dropped - rate) <= 5 * np.sqrt(rate * (1 - rate) / WORDS)
    keep = np.asarray(U[..., 0]) >= np.float32(rate)
    for row, before, kept in zip(y, words(X), keep):
        assert row == [word for word, k in zip(before, kept) if k]


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_words_are_hidden_at_their_rate_where_they_stand(rate):
    y = np.asarray(hide_tokens(X, U[..., 0], rate, MASK))
    hidden = y == MASK
    np.testing.assert_array_equal(y[~hidden], np.asarray(X)[~hidden])
    assert (np.asarray(X)[hidden] >= NUM_SPECIALS).all()
    assert abs(hidden.sum() / WORDS - rate) <= 5 * np.sqrt(rate * (1 - rate) / WORDS)


def test_unknown_words_are_words():
    x = jnp.array([[UNK, UNK, EOS]])
    nothing = jnp.zeros((1, 3))
    assert hide_tokens(x, nothing, 0.5, MASK).tolist() == [[MASK, MASK, EOS]]
    assert drop_tokens(x, nothing, 0.5).tolist() == [[EOS, PAD, PAD]]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 30), st.integers(0, 2**31 - 1))
def test_words_move_by_the_distance_at_most(distance, seed):
    u = jax.random.uniform(jax.random.key(seed), (1, T)).at[0, 0].set(1 - 2**-24)
    x = jnp.arange(NUM_SPECIALS, NUM_SPECIALS + T)[None].at[0, -3:].set(jnp.array([EOS, PAD, PAD]))
    y = np.asarray(swap_tokens(x, u, distance))[0]
    np.testing.assert_array_equal(y[-3:], [EOS, PAD, PAD])
    assert sorted(y[:-3]) == np.asarray(x)[0, :-3].tolist()
    assert np.abs(y[:-3] - NUM_SPECIALS - np.arange(T - 3)).max() <= distance


def test_swapping_does_move_words():
    moved = np.mean(np.asarray(swap_tokens(X, U[..., 0], 3)) != np.asarray(X))
    assert moved > 0.3 * WORDS / X.size


def test_noise_of_one_kind_does_not_depend_on_the_others():
    """So that a rate of 0 means that kind is not there, whatever the others are."""
    np.testing.assert_array_equal(
        corrupt_tokens(X, U, mask=0.4), hide_tokens(X, U[..., 2], 0.4, MASK)
    )
    np.testing.assert_array_equal(corrupt_tokens(X, U, drop=0.4), drop_tokens(X, U[..., 1], 0.4))
    np.testing.assert_array_equal(corrupt_tokens(X, U), X)
