"""Phrases are the pairs that word2vec's formula finds, joined from left to right."""

import collections
import itertools

import numpy as np
import pytest

from genjax.data.text import phrases

TEXTS = [
    "new york is large", "i saw new york", "the new car", "york is old", "is it new york",
    "the old car is new", "new york times", "new york times", "the new york times is old",
]  # fmt: skip


def texts():
    return [t.split() for t in TEXTS]


def test_scores_are_those_of_the_formula():
    found = phrases.find(texts, least=2, threshold=0.0)
    counts = collections.Counter(w for t in texts() for w in t)
    pairs = collections.Counter(p for t in texts() for p in itertools.pairwise(t))
    for (a, b), score in found.items():
        expected = (pairs[a, b] - 2) * len(counts) / (counts[a] * counts[b])
        assert score == pytest.approx(expected)
    assert set(found) == {p for p, n in pairs.items() if n > 2}


def test_scores_are_gensims_up_to_its_count_of_words():
    scorer = pytest.importorskip("gensim.models.phrases").original_scorer
    found = phrases.find(texts, least=2, threshold=0.0)
    words = len({w for t in texts() for w in t})
    assert found["new", "york"] == pytest.approx(scorer(8, 7, 6, words, 2, None))


def test_no_phrase_spans_two_texts():
    assert phrases.find(lambda: [["a"], ["b"]] * 9, least=1, threshold=0.0) == {}


def test_phrases_are_joined_from_left_to_right():
    words = ["a", "b", "c", "a", "b"]
    assert phrases.join(words, [{("a", "b"), ("b", "c")}]) == ["a_b", "c", "a_b"]
    assert phrases.join([], [{("a", "b")}]) == []


def test_later_rounds_join_what_earlier_ones_made():
    rounds = phrases.learn(texts, 2, least=1, threshold=0.5)
    assert ("new", "york") in rounds[0] and ("new_york", "times") in rounds[1]
    joined = phrases.join(["the", "new", "york", "times"], rounds)
    assert "new_york_times" in joined


def test_a_higher_threshold_finds_fewer():
    sizes = [len(phrases.find(texts, least=1, threshold=t)) for t in (0.0, 0.5, 1.0, 100.0)]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] == 0
    assert np.isfinite(list(phrases.find(texts, least=1, threshold=0.0).values())).all()


def test_words_with_marks_are_in_phrases_and_punctuation_is_not():
    texts = [["नई", "दिल्ली", ",", "में"]] * 9
    assert set(phrases.find(lambda: texts, least=1, threshold=0.0)) == {("नई", "दिल्ली")}
