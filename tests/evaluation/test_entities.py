"""Entities of tagged words: read and scored as seqeval does."""

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genjax.evaluation.entities import Entity, are_spans, entities, entity_scores

TAGS = st.sampled_from(["O", *(f"{letter}-{name}" for letter in "BIES" for name in ("PER", "LOC"))])
ROWS = st.lists(st.lists(st.tuples(TAGS, TAGS), max_size=8), min_size=1, max_size=5)


def test_entities_of_a_sentence():
    tags = ["B-PER", "I-PER", "O", "S-LOC", "B-LOC", "E-LOC", "B-PER", "B-PER"]
    assert entities(tags) == {
        Entity("PER", 0, 1), Entity("LOC", 3, 3), Entity("LOC", 4, 5), Entity("PER", 6, 6),
        Entity("PER", 7, 7),
    }  # fmt: skip


def test_what_cannot_go_on_begins():
    assert entities(["I-PER", "I-LOC", "I-LOC"]) == {Entity("PER", 0, 0), Entity("LOC", 1, 2)}


@settings(max_examples=100, deadline=None)
@given(ROWS)
def test_entities_and_scores_are_those_of_seqeval(rows):
    from seqeval import metrics
    from seqeval.metrics.sequence_labeling import get_entities

    right, guessed = ([[pair[i] for pair in row] for row in rows] for i in (0, 1))
    for row in right:
        assert entities(row) == set(get_entities(list(row)))
    scores = entity_scores(right, guessed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ratios of nothing
        if not any(right):
            return  # seqeval has no answer to no words
        expected = {
            "precision": metrics.precision_score(right, guessed),
            "recall": metrics.recall_score(right, guessed),
            "f1": metrics.f1_score(right, guessed),
        }
        types = sorted({e[0] for row in (*right, *guessed) for e in get_entities(list(row))})
        each = metrics.f1_score(right, guessed, average=None) if types else []
    expected |= {f"f1_{name}": value for name, value in zip(types, each)}
    assert scores == pytest.approx(expected)


def test_an_entity_is_right_as_a_whole_or_not_at_all():
    scores = entity_scores([["B-X", "I-X", "O"]], [["B-X", "O", "O"]])
    assert scores["f1"] == 0
    assert entity_scores([["O"]], [["O"]])["f1"] == 0


def test_tags_that_mark_no_entities_are_noticed():
    assert are_spans(["O", "B-PER", "I-PER", "S-X"])
    assert not are_spans(["O", "NN", "VB"]) and not are_spans(["DET"])


def test_sentences_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="sentence 1: 2 tags, 1 predicted"):
        entity_scores([["O"], ["O", "O"]], [["O"], ["O"]])
