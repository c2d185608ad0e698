"""Entities of tagged words: read and scored as seqeval does."""

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genjax.data.text.tags import Entity, Scheme, entities, scheme
from genjax.evaluation.text.entities import entity_scores

TAGS = st.sampled_from(["O", *(f"{letter}-{name}" for letter in "BIES" for name in ("PER", "LOC"))])
ROWS = st.lists(st.lists(st.tuples(TAGS, TAGS), max_size=8), min_size=1, max_size=5)


def test_entities_of_a_sentence():
    tags = ["B-PER", "I-PER", "O", "S-LOC", "B-LOC", "E-LOC", "B-PER", "B-PER"]
    assert entities(tags) == {
        Entity("PER", 0, 1),
        Entity("LOC", 3, 3),
        Entity("LOC", 4, 5),
        Entity("PER", 6, 6),
        Entity("PER", 7, 7),
    }


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


@pytest.mark.parametrize(
    "tags, expected",
    [
        ("O B-PER I-PER", Scheme("BIO")),
        ("O I-PER", Scheme("BIO")),
        ("O I-PER E-PER", Scheme("IOE")),
        ("O B-PER I-PER E-PER S-X", Scheme("BIOES")),
        ("O B-PER L-PER U-X", Scheme("BILOU")),
        ("B M E S", Scheme("BMES")),
        ("O B-PER M-PER E-PER W-PER", Scheme("BMEW")),
        ("B-A M-A L-A U-A", Scheme("mixed")),
        ("O PER-B PER-I", Scheme("BIO", suffix=True)),
        ("o b-per i-per", Scheme("BIO")),
        ("O NN VB", None),
        ("DET", None),
        ("M W", None),
    ],
)
def test_schemes_are_recognized(tags, expected):
    assert scheme(tags.split()) == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(TAGS, max_size=8))
def test_a_scheme_changes_no_entity(tags):
    expected = entities(tags)
    bilou = [tag.replace("E-", "L-").replace("S-", "U-") for tag in tags]
    assert entities(bilou) == expected
    bmes = [tag.replace("I-", "M-") for tag in tags]
    assert entities(bmes) == expected
    last = ["-".join(reversed(tag.split("-"))) for tag in tags]
    assert entities(last, suffix=True) == expected
    small = {(e.type.upper(), *e[1:]) for e in entities([tag.lower() for tag in tags])}
    assert small == expected


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["PER", "LOC", ""]), st.integers(0, 3)), max_size=6))
def test_well_formed_spans_come_back_from_every_scheme(spans):
    """Spans of a type and a length, "" for one word outside, written by each scheme's rules."""
    at, expected, written = 0, set(), {name: [] for name in ("BIOES", "BILOU", "BMES")}
    for name, more in spans:
        size = 1 + more if name else 1
        if name:
            expected.add(Entity(name, at, at + size - 1))
        for letters, tags in written.items():
            begin, inside, end, single = {"BIOES": "BIES", "BILOU": "BILU", "BMES": "BMES"}[letters]
            row = [single] if size == 1 else [begin, *[inside] * (size - 2), end]
            tags += [f"{letter}-{name}" for letter in row] if name else ["O"]
        at += size
    assert all(entities(tags) == expected for tags in written.values())


def test_entities_of_words_that_were_not_seen_are_missed():
    right = [["B-X", "O", "O", "B-X", "I-X"]]
    scores = entity_scores(right, [["B-X", "O", "O", "O", "O"]])
    assert (scores["precision"], scores["recall"]) == (1, 0.5)
    torn = entity_scores(right, [["B-X", "O", "O", "B-X", "O"]])  # cut within the second
    assert (torn["precision"], torn["recall"]) == (0.5, 0.5)


def test_sentences_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="sentence 1: 2 tags, 1 predicted"):
        entity_scores([["O"], ["O", "O"]], [["O"], ["O"]])
