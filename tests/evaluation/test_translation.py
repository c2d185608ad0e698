"""Scores of translations and the signatures that they hold for."""

import pytest
from sacrebleu import corpus_bleu, corpus_chrf

from genjax.core.config import BLEU_TOKENIZERS
from genjax.evaluation.text.translation import misread, translation_scores, why_not
from genjax.evaluation.text.units import are_without_spaces

HYPOTHESES = ["A man in a blue shirt is standing on a ladder.", "two dogs run , and bark !", ""]
REFERENCES = [
    "A man in a blue shirt stands on a ladder.",
    "Two dogs are running and barking!",
    "Nothing",
]


def test_scores_are_those_of_sacrebleu():
    scores, hold_for = translation_scores(HYPOTHESES, REFERENCES)
    bleu = corpus_bleu(HYPOTHESES, [REFERENCES]).score
    assert scores["bleu"] == pytest.approx(bleu)
    assert scores["chrf"] == pytest.approx(corpus_chrf(HYPOTHESES, [REFERENCES]).score)
    assert scores["word_bleu"] > bleu  # case is all that stands between "two dogs" and "Two dogs"
    assert "case:mixed" in hold_for["bleu"] and "tok:13a" in hold_for["bleu"]
    assert "case:lc" in hold_for["word_bleu"] and "tok:none" in hold_for["word_bleu"]
    assert all("version:" in message for message in hold_for.values())


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


CHINESE = ["我喜欢吃苹果，也喜欢喝茶。"], ["我喜欢吃香蕉，也喜欢喝茶。"]


def test_chinese_is_scored_with_the_tokenizer_that_is_asked_for():
    by_default, _ = translation_scores(*CHINESE)
    scores, hold_for = translation_scores(*CHINESE, tokenize="zh")
    assert by_default["bleu"] == pytest.approx(0, abs=1e-6) and "tok:zh" in hold_for["bleu"]
    wanted = corpus_bleu(CHINESE[0], [CHINESE[1]], tokenize="zh").score
    assert scores["bleu"] == pytest.approx(wanted) and wanted > 50
    assert scores["word_bleu"] > 50 and scores["rouge_l"] > 0.8


def test_word_bleu_tells_words_that_differ_in_marks():
    hindi = ["यह कि किताब बहुत अच्छी है"], ["यह की किताब बहुत अच्छी है"]
    assert 40 < translation_scores(*hindi)[0]["word_bleu"] < 70
    assert translation_scores(*hindi)[0]["exact"] == 0


def test_scripts_without_spaces_are_told_from_others():
    assert are_without_spaces(CHINESE[0]) and are_without_spaces(["マットの上に", "GPT-2"])
    assert not are_without_spaces(HYPOTHESES) and not are_without_spaces(["कि की", "北京 is big"])
    assert not are_without_spaces([""])
    assert "zh (of Chinese)" in misread(CHINESE[1], "13a")
    assert not misread(CHINESE[1], "zh") and not misread(REFERENCES, "13a")


def test_tokenizers_of_sacrebleu_are_known_and_what_they_lack_is_told():
    from sacrebleu.metrics import bleu

    assert {*BLEU_TOKENIZERS} == {*bleu._TOKENIZERS} - {"spm"}  # which is flores101's old name
    assert not why_not("char") and "\n" not in why_not("ja-mecab")
