"""Scores of translations, by sacreBLEU, with the signatures that they hold for."""

from collections.abc import Sequence

from genjax.data.tokenizers import words
from genjax.evaluation.rouge import rouge


def translation_scores(
    hypotheses: Sequence[str], references: Sequence[str]
) -> tuple[dict[str, float], dict[str, str]]:
    """Scores of texts against one reference each, and what they hold for, both by name.

    `word_bleu` counts lower-cased words, as papers on small data do; `bleu` and `chrf` are
    sacreBLEU's defaults (Post 2018; Popović 2015), from 0 to 100; the others are those of
    `genjax.evaluation.rouge`, and `exact`, the share of texts that are their reference.

    Args:
      hypotheses: what was written, at least one.
      references: what was to be written, one for each.
    """
    from sacrebleu.metrics import BLEU, CHRF

    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} texts, {len(references)} references; must agree")
    metrics = {"bleu": BLEU(), "chrf": CHRF()}
    scores, hold_for = {}, {}
    word_bleu = BLEU(lowercase=True, tokenize="none", force=True)
    split = [[" ".join(words(t, True, True)) for t in texts] for texts in (hypotheses, references)]
    scores["word_bleu"] = word_bleu.corpus_score(split[0], [split[1]]).score
    hold_for["word_bleu"] = f"words of letters, and marks; {word_bleu.get_signature()}"
    for name, metric in metrics.items():
        scores[name] = metric.corpus_score(list(hypotheses), [list(references)]).score
        hold_for[name] = str(metric.get_signature())
    scores |= rouge(hypotheses, references)
    scores["exact"] = sum(h == r for h, r in zip(hypotheses, references)) / len(hypotheses)
    return scores, hold_for
