"""Scores of translations and the signatures that they hold for."""

import pytest
from sacrebleu import corpus_bleu, corpus_chrf

from genjax.evaluation.translation import translation_scores

HYPOTHESES = ["A man in a blue shirt is standing on a ladder.", "two dogs run , and bark !", ""]
REFERENCES = [
    "A man in a blue shirt stands on a ladder.", "Two dogs are running and barking!", "Nothing",
]  # fmt: skip


def test_scores_are_those_of_sacrebleu():
    scores, hold_for = translation_scores(HYPOTHESES, REFERENCES)
    bleu = corpus_bleu(HYPOTHESES, [REFERENCES]).score
    assert scores["bleu"] == pytest.approx(bleu)
    assert scores["chrf"] == pytest.approx(corpus_chrf(HYPOTHESES, [REFERENCES]).score)
    assert scores["word_bleu"] > bleu  # case is all that stands between "two dogs" and "Two dogs"
    assert "case:mixed" in hold_for["bleu"] and "tok:13a" in hold_for["bleu"]
    assert "case:lc" in hold_for["word_bleu"] and "tok:none" in hold_for["word_bleu"]
    assert all("version:" in told for told in hold_for.values())


def test_the_reference_itself_is_perfect_in_any_case():
    shouted = [text.upper() for text in REFERENCES[:2]]
    scores, _ = translation_scores(shouted, REFERENCES[:2])
    assert scores["word_bleu"] == pytest.approx(100) and scores["bleu"] < 50
    assert scores["exact"] == 0 and scores["rouge_l"] == 1
    assert translation_scores(REFERENCES, REFERENCES)[0]["exact"] == 1
    scores, hold_for = translation_scores(shouted, REFERENCES[:2], lowercase=True)
    assert scores["exact"] == 1 and "case:lc" in hold_for["bleu"]
    assert [scores["bleu"], scores["chrf"]] == pytest.approx([100, 100])


def test_exact_texts_have_the_words_of_their_references():
    written = ["two dogs run , and bark !", "two dogs run and bark !"]
    assert translation_scores(written, ["two dogs run, and bark!"] * 2)[0]["exact"] == 0.5


def test_texts_without_references_are_refused():
    with pytest.raises(ValueError, match="3 texts, 2 references"):
        translation_scores(HYPOTHESES, REFERENCES[:2])
