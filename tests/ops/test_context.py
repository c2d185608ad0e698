"""Contexts as tiles say the same as a loop over the words of each line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.tokens import EOS, NUM_SPECIALS, PAD, UNK
from genjax.ops import context
from genjax.ops.platform import traced_for

REACH, TILE, CAPACITY, VOCABULARY = 3, 4, 12, 12


def text(seed, rows=5, length=16):
    """Rows of words, line ends, unknown words and padding; numbers for thinning; chances."""
    rng = np.random.default_rng(seed)
    x = rng.integers(NUM_SPECIALS, VOCABULARY, (rows, length))
    x = np.where(rng.random(x.shape) < 0.15, EOS, np.where(rng.random(x.shape) < 0.1, UNK, x))
    x[-1, length // 2 :] = PAD
    keep = rng.uniform(0.3, 1.0, VOCABULARY).astype(np.float32)
    keep[:NUM_SPECIALS] = 0
    return x.astype(np.int32), rng.random(x.shape, np.float32), keep


def by_hand(x, uniform, keep):
    """(token, line, reach) of the words that stay, row by row."""
    rows = []
    for r, row in enumerate(x):
        line, kept = 0, []
        for token, u in zip(row, uniform[r]):
            line += int(token == EOS)
            if u < keep[token]:
                kept.append((int(token), (r, line), 1 + int(REACH * u / keep[token])))
        rows.append(kept)
    return rows


@pytest.mark.parametrize("seed", range(4))
def test_what_stays_moves_to_the_front_of_its_row(seed):
    x, uniform, keep = text(seed)
    with traced_for(("cpu", "cuda")[seed % 2]):
        words = context.thin(x, uniform, jnp.asarray(keep), REACH, CAPACITY)
    expected = by_hand(x, uniform, keep)
    token, reach = (np.asarray(a).reshape(len(x), CAPACITY) for a in (words.token, words.reach))
    for row, kept in enumerate(expected):
        kept = kept[:CAPACITY]
        assert token[row, : len(kept)].tolist() == [t for t, _, _ in kept]
        assert reach[row, : len(kept)].tolist() == [r for _, _, r in kept]
        assert (token[row, len(kept) :] == PAD).all() and (reach[row, len(kept) :] == 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_pairs_are_those_of_a_loop_over_words(seed):
    x, uniform, keep = text(seed)
    words = context.thin(x, uniform, jnp.asarray(keep), REACH, CAPACITY)
    mask = np.asarray(context.context_mask(words, TILE, REACH))
    assert mask.shape == (len(x) * CAPACITY // TILE, TILE, TILE + 2 * REACH)
    got = {(g * TILE + t, g * TILE + s - REACH) for g, t, s in np.argwhere(mask)}
    expected = set()
    for row, kept in enumerate(by_hand(x, uniform, keep)):
        kept, first = kept[:CAPACITY], row * CAPACITY
        for i, (_, line, reach) in enumerate(kept):
            for j, (_, other, _) in enumerate(kept):
                if 0 < abs(i - j) <= reach and line == other:
                    expected.add((first + i, first + j))
    assert got == expected


def test_a_halo_holds_the_neighbors_of_a_tile():
    x = np.arange(1, 13.0)
    got = context.halo(jnp.asarray(x), TILE, REACH, -1)
    padded = np.concatenate([np.full(REACH, -1), x, np.full(REACH, -1)])
    expected = [padded[i : i + TILE + 2 * REACH] for i in range(0, 12, TILE)]
    np.testing.assert_array_equal(got, expected)
    two = context.halo(jnp.stack([x, 2 * x], -1), TILE, REACH, -1)
    np.testing.assert_array_equal(two[..., 0], expected)


def test_reach_is_uniform_and_full_where_it_is_not_drawn():
    x = np.full((1, 30_000), NUM_SPECIALS, np.int32)
    keep = jnp.full(VOCABULARY, 0.4)
    uniform = jax.random.uniform(jax.random.key(0), x.shape)
    drawn = context.thin(x, uniform, keep, REACH, 30_000)
    count = np.bincount(drawn.reach)[1:]
    assert len(count) == REACH
    np.testing.assert_allclose(count / count.sum(), 1 / REACH, atol=0.02)
    np.testing.assert_allclose(count.sum() / 30_000, 0.4, atol=0.01)
    full = context.thin(x, uniform, keep, REACH, 30_000, dynamic=False)
    assert set(np.unique(full.reach)) == {0, REACH}
