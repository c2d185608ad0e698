"""Scores of translations, by sacreBLEU, with the signatures that they hold for."""

from collections.abc import Sequence

from genjax.data.tokenizers import words
from genjax.evaluation.rouge import rouge


def translation_scores(
    hypotheses: Sequence[str], references: Sequence[str], *, lowercase: bool = False
) -> tuple[dict[str, float], dict[str, str]]:
    """Scores of texts against one reference each, and what they hold for, both by name.

    `word_bleu` counts lower-cased words, as papers on small data do; `bleu` and `chrf` are
    sacreBLEU's defaults (Post 2018; Popović 2015), from 0 to 100; the others are those of
    `genjax.evaluation.rouge`, and `exact`, the share of texts with the words of their reference.

    Args:
      hypotheses: what was written, at least one.
      references: what was to be written, one for each.
      lowercase: `bleu`, `chrf` and `exact` do not look at case, of which a model that was trained
        on lower-cased texts knows nothing.
    """
    from sacrebleu.metrics import BLEU, CHRF

    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} texts, {len(references)} references; must agree")
    # force: no warning where a model of words puts a space before a mark, as `13a` does as well.
    metrics = {"bleu": BLEU(lowercase=lowercase, force=True), "chrf": CHRF(lowercase=lowercase)}
    scores, hold_for = {}, {}
    word_bleu = BLEU(lowercase=True, tokenize="none", force=True)
    texts = (hypotheses, references)
    split = [[" ".join(words(text, True, True)) for text in side] for side in texts]
    scores["word_bleu"] = word_bleu.corpus_score(split[0], [split[1]]).score
    hold_for["word_bleu"] = f"words of letters, and marks; {word_bleu.get_signature()}"
    for name, metric in metrics.items():
        scores[name] = metric.corpus_score(list(hypotheses), [list(references)]).score
        hold_for[name] = str(metric.get_signature())
    scores |= rouge(hypotheses, references)
    written, wanted = ([words(text, lowercase, True) for text in side] for side in texts)
    scores["exact"] = sum(h == r for h, r in zip(written, wanted)) / len(hypotheses)
    return scores, hold_for
