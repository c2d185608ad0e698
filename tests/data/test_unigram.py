"""What counts give: which occurrences stay, noise, and codes."""

import heapq

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genjax.core.tokens import NUM_SPECIALS
from genjax.data.text import unigram

SOME = [3, 0, 0, 9, 0]  # counts of special tokens, which are not words
counts_of_words = st.lists(st.integers(0, 1000), min_size=2, max_size=40).filter(
    lambda c: sum(n > 0 for n in c) >= 2
)


def test_frequent_words_are_thinned_as_by_gensim():
    pytest.importorskip("gensim")
    from gensim.models import Word2Vec

    counts = {f"w{i}": 10**i for i in range(6)}
    model = Word2Vec(min_count=1, sample=1e-3)
    model.build_vocab_from_freq(counts)
    keep = unigram.keep_probability(np.array(SOME + list(counts.values())), 1e-3)
    expected = [model.wv.get_vecattr(w, "sample_int") / (2**32 - 1) for w in counts]
    np.testing.assert_allclose(keep[NUM_SPECIALS:], expected, atol=1e-6)
    assert (keep[:NUM_SPECIALS] == 0).all()


def test_without_a_threshold_all_words_stay():
    keep = unigram.keep_probability(np.array([*SOME, 5, 0, 7]), 0.0)
    np.testing.assert_array_equal(keep, [0, 0, 0, 0, 0, 1, 0, 1])


@given(st.lists(st.floats(0, 100), min_size=1, max_size=50).filter(lambda w: sum(w) > 1e-3))
def test_an_alias_table_holds_the_distribution(weights):
    table = unigram.alias_table(np.array(weights))
    chance = np.zeros(len(weights))
    np.add.at(chance, np.arange(len(weights)), table.threshold)
    np.add.at(chance, table.other, 1.0 - table.threshold)
    np.testing.assert_allclose(
        chance / len(weights), np.array(weights) / np.sum(weights), atol=1e-6
    )


def test_draws_follow_the_weights_and_never_meet_a_word_of_weight_0():
    weights = np.array([0.0, 1.0, 2.0, 0.0, 5.0])
    bits = jax.random.bits(jax.random.key(0), (40_000, 2))
    drawn = np.bincount(unigram.draw(unigram.alias_table(weights), bits), minlength=5)
    assert drawn[0] == drawn[3] == 0
    np.testing.assert_allclose(drawn / 40_000, weights / 8, atol=0.01)


@settings(deadline=None)
@given(counts_of_words)
def test_codes_are_those_of_a_huffman_tree(counts):
    counts = np.array(SOME + counts)
    code = unigram.huffman_code(counts)
    length = (code.sign != 0).sum(1)
    words = np.flatnonzero(counts * (np.arange(len(counts)) >= NUM_SPECIALS))
    assert (length[np.setdiff1d(np.arange(len(counts)), words)] == 0).all()
    assert sum(2.0 ** -length[words]) == 1  # Kraft: every side of every inner node is used
    heap, cost = [int(counts[w]) for w in words], 0
    heapq.heapify(heap)
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        cost += both
        heapq.heappush(heap, both)
    assert (length * counts)[words].sum() == cost  # the shortest there is
    assert code.node.max() == len(words) - 2


def test_paths_of_two_words_part_at_one_node():
    code = unigram.huffman_code(np.array([*SOME, 4, 3, 2, 1]))
    paths = [
        {int(n): float(s) for n, s in zip(nodes, signs) if s}
        for nodes, signs in zip(code.node[NUM_SPECIALS:], code.sign[NUM_SPECIALS:])
    ]
    for i, a in enumerate(paths):
        for b in paths[:i]:
            assert sum(a[n] != b[n] for n in a.keys() & b.keys()) == 1
