"""Packing: whole texts, little padding, and told apart again."""

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genjax.core import tokens
from genjax.data.text.packing import assign, pack

LENGTHS = st.lists(st.integers(1, 20), max_size=60)


@settings(deadline=None)
@given(LENGTHS, st.integers(20, 40))
def test_each_text_is_in_one_row_that_holds_it(lengths, width):
    rows = assign(lengths, width)
    assert sorted(i for row in rows for i in row) == list(range(len(lengths)))
    assert all(0 < sum(lengths[i] for i in row) <= width for row in rows)
    # Two rows of which each leaves room for the other's content would be one.
    assert len(rows) <= max(1, 2 * sum(lengths) / width + 1)


def test_rows_are_filled():
    lengths = np.random.RandomState(0).randint(1, 65, 2000).tolist()
    assert sum(lengths) / (64 * len(assign(lengths, 64))) > 0.98


def test_a_text_that_fits_nowhere_is_refused():
    with pytest.raises(ValueError, match="a text of 9 tokens does not fit into a row of 8"):
        assign([3, 9], 8)


@settings(deadline=None, max_examples=30)
@given(LENGTHS.filter(bool))
def test_segments_tell_the_texts_of_a_row_apart(lengths):
    rng = np.random.RandomState(0)
    texts = [np.append(rng.randint(5, 90, n - 1), tokens.EOS).astype(np.uint8) for n in lengths]
    x = pack(texts, 20)
    assert x.dtype == np.uint8 and x.shape[1] == 20
    segment, position = map(np.asarray, tokens.segments(x.astype(np.int32)))
    found = []
    for row, numbers, places in zip(x, segment, position):
        for number in range(1, numbers.max() + 1):
            there = numbers == number
            found.append(tuple(row[there]))
            np.testing.assert_array_equal(places[there], np.arange(there.sum()))
    assert sorted(found) == sorted(map(tuple, texts))
    assert (segment[x == tokens.PAD] == 0).all() and (position[x == tokens.PAD] == 0).all()


def test_nothing_packs_into_nothing():
    assert pack([], 7).shape == (0, 7)


def test_segments_by_hand_and_under_jit():
    x = np.array([[7, 3, 8, 9, 3, 0], [3, 3, 7, 7, 7, 7], [0] * 6])
    segment, position = jax.jit(tokens.segments)(x)
    assert segment.tolist() == [[1, 1, 2, 2, 2, 0], [1, 2, 3, 3, 3, 3], [0] * 6]
    assert position.tolist() == [[0, 1, 0, 1, 2, 0], [0, 0, 0, 1, 2, 3], [0] * 6]
