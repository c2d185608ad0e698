"""ROUGE: how much of a text's words, pairs of words and word order a summary has.

Source: Lin 2004 (ROUGE: a package for automatic evaluation of summaries). Words are lower-cased
letters and digits, not stemmed, as in Google's `rouge-score`, with their marks, in any script;
where a script has no spaces, its characters (see `genjax.evaluation.text.units`).
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from genjax.evaluation.text.units import units


def rouge(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """Computes `rouge_1`, `rouge_2` (n-grams in common) and `rouge_l` (common subsequence).

    Each is the mean over the texts of the F1 of precision and recall, between 0 and 1.
    """
    pairs = [
        (units(h, lowercase=True, signs=False), units(r, lowercase=True, signs=False))
        for h, r in zip(hypotheses, references, strict=True)
    ]
    return {
        "rouge_1": float(np.mean([_ngrams(h, r, 1) for h, r in pairs])),
        "rouge_2": float(np.mean([_ngrams(h, r, 2) for h, r in pairs])),
        "rouge_l": float(np.mean([_f1(_longest(h, r), len(h), len(r)) for h, r in pairs])),
    }


def _ngrams(hypothesis: list[str], reference: list[str], n: int) -> float:
    found, wanted = (Counter(zip(*(x[i:] for i in range(n)))) for x in (hypothesis, reference))
    return _f1((found & wanted).total(), found.total(), wanted.total())


def _longest(a: list[str], b: list[str]) -> int:
    """Returns the length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for word in a:
        above = row
        row = [0]
        for j, other in enumerate(b):
            row.append(above[j] + 1 if word == other else max(above[j + 1], row[j]))
    return row[-1]


def _f1(common: int, found: int, wanted: int) -> float:
    return 2 * common / (found + wanted) if common else 0.0
