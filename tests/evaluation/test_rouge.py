"""ROUGE against Google's rouge-score 0.1.2, without stemming."""

import pytest

from genjax.evaluation.text.rouge import rouge

GOLDEN = {  # (hypothesis, reference): ROUGE-1, ROUGE-2, ROUGE-L
    ("The cat sat on the mat.", "A cat is sitting on the mat!"): (8 / 13, 4 / 11, 8 / 13),
    ("police killed the gunman", "the gunman police killed"): (1.0, 2 / 3, 0.5),
    ("", "nothing was written"): (0.0, 0.0, 0.0),
    ("It's 3 o'clock, snake_case stays.", "it is three o'clock; snake case stays"): (
        0.75, 4 / 7, 0.75,
    ),
    ("the the the the", "the cat the"): (4 / 7, 0.0, 4 / 7),
}  # fmt: skip


@pytest.mark.parametrize("hypothesis, reference", GOLDEN)
def test_scores_are_those_of_rouge_score(hypothesis, reference):
    found = rouge([hypothesis], [reference])
    assert tuple(found.values()) == pytest.approx(GOLDEN[hypothesis, reference])


def test_word_order_counts_for_the_longest_subsequence_alone():
    found = rouge(["d c b a"], ["a b c d"])
    assert found == {"rouge_1": 1.0, "rouge_2": 0.0, "rouge_l": 0.25}


def test_scores_are_means_over_the_texts_and_letters_are_of_any_script():
    found = rouge(["Größe, über alles", "x"], ["größe über ALLES", "y"])
    assert found == {"rouge_1": 0.5, "rouge_2": 0.5, "rouge_l": 0.5}


def test_words_that_differ_in_marks_alone_are_different():
    found = rouge(["कि हिन्दी"], ["की हिन्दी"])
    assert found == {"rouge_1": 0.5, "rouge_2": 0.0, "rouge_l": 0.5}
    assert rouge(["தமிழ்"], ["தமழ"])["rouge_1"] == 0
    assert rouge(["cafe\u0301 ΟΔΟΣ"], ["CAFÉ οδος"])["rouge_2"] == 1  # composed or not, any case


def test_scripts_without_spaces_are_scored_by_their_characters():
    assert rouge(["我喜欢吃苹果。"], ["我喜欢吃香蕉"])["rouge_l"] == pytest.approx(4 / 6)
    assert rouge(["マットの上"], ["マットの下"])["rouge_2"] == pytest.approx(3 / 4)
    assert rouge(["ฉันกินข้าว"], ["ฉันกินปลา"])["rouge_1"] > 0.5
    assert rouge(["GPT4 写"], ["gpt4写"])["rouge_2"] == 1
