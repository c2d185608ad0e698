"""Scores of translations, by sacreBLEU, with the signatures that they hold for."""

from collections.abc import Iterable, Sequence

from genjax.evaluation.text.rouge import rouge
from genjax.evaluation.text.units import TOLD, are_without_spaces, units


def why_not(tokenize: str) -> str:
    """Says why `bleu` cannot be computed with sacreBLEU's tokenizer here; "" if it can."""
    from sacrebleu.metrics import BLEU

    try:
        BLEU(tokenize=tokenize, force=True)
    except Exception as error:  # a package or a download that is missing: of several types
        return " ".join(str(error).split())[:200] or type(error).__name__
    return ""


def misread(references: Iterable[str], tokenize: str) -> str:
    """Warns of a tokenizer that misreads such references; "": it does not."""
    if tokenize not in ("13a", "intl") or not are_without_spaces(references):
        return ""
    return (
        "most of the references are in a script without spaces, of which bleu with "
        f"{tokenize} takes whole sentences for words; zh (of Chinese) or char counts more"
    )


def translation_scores(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    lowercase: bool = False,
    tokenize: str = "13a",
) -> tuple[dict[str, float], dict[str, str]]:
    """Scores texts against one reference each; returns numbers, and what they hold for, by name.

    `word_bleu` counts lower-cased words, as papers on small data do; `bleu` and `chrf` are
    sacreBLEU's (Post 2018; Popović 2015), from 0 to 100; the others are those of
    `genjax.evaluation.text.rouge`, and `exact`, the share of texts with their reference's words.
    Words, but those of `bleu`, are those of `genjax.evaluation.text.units`.

    Args:
      hypotheses: what was written, at least one.
      references: what was to be written, one for each.
      lowercase: `bleu`, `chrf` and `exact` do not look at case, of which a model that was trained
        on lower-cased texts knows nothing.
      tokenize: sacreBLEU's tokenizer for `bleu`. Its default, `13a`, takes a sentence of a script
        without spaces for few words; for Chinese there is `zh`, for others `char`.
    """
    from sacrebleu.metrics import BLEU, CHRF

    if len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} texts, {len(references)} references; must agree")
    # force: no warning where a model of words puts a space before a mark, as `13a` does as well.
    bleu = BLEU(lowercase=lowercase, tokenize=tokenize, force=True)
    metrics = {"bleu": bleu, "chrf": CHRF(lowercase=lowercase)}
    scores, hold_for = {}, {}
    word_bleu = BLEU(lowercase=True, tokenize="none", force=True)
    texts = (hypotheses, references)
    split = [[" ".join(units(t, lowercase=True, signs=True)) for t in side] for side in texts]
    scores["word_bleu"] = word_bleu.corpus_score(split[0], [split[1]]).score
    hold_for["word_bleu"] = f"{TOLD}, and signs; {word_bleu.get_signature()}"
    for name, metric in metrics.items():
        scores[name] = metric.corpus_score(list(hypotheses), [list(references)]).score
        hold_for[name] = str(metric.get_signature())
    scores |= rouge(hypotheses, references)
    written, wanted = ([units(t, lowercase=lowercase, signs=True) for t in side] for side in texts)
    scores["exact"] = sum(h == r for h, r in zip(written, wanted)) / len(hypotheses)
    return scores, hold_for
