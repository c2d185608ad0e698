"""Scores of tagged entities: a span counts as a whole (CoNLL 2003's measure)."""

from collections.abc import Iterable, Sequence

from genjax.data.text.tags import Entity, entities


def entity_scores(
    tags: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]], suffix: bool = False
) -> dict[str, float]:
    """Computes `precision`, `recall`, `f1` of entities, right in type and both ends, and `f1_TYPE`.

    A ratio of nothing to nothing is 0.

    Args:
      tags: those of each sentence.
      predicted: as many for each sentence: `O` for words that a model did not see, so that what is
        there counts as missed.
      suffix: see `Scheme`.
    """
    right: set[tuple[int, Entity]] = set()
    guessed: set[tuple[int, Entity]] = set()
    for i, (row, other) in enumerate(zip(tags, predicted, strict=True)):
        if len(row) != len(other):
            raise ValueError(f"sentence {i}: {len(row)} tags, {len(other)} predicted; must agree")
        right |= {(i, entity) for entity in entities(row, suffix)}
        guessed |= {(i, entity) for entity in entities(other, suffix)}
    precision, recall, f1 = _scores(right, guessed)
    of_types = {
        name: _scores(*({e for e in found if e[1].type == name} for found in (right, guessed)))[2]
        for name in sorted({entity.type for _, entity in right | guessed})
    }
    scores = {"precision": precision, "recall": recall, "f1": f1}
    return scores | {f"f1_{name}": value for name, value in of_types.items()}


def _scores(
    right: set[tuple[int, Entity]], guessed: set[tuple[int, Entity]]
) -> tuple[float, float, float]:
    both = len(right & guessed)
    precision = both / len(guessed) if guessed else 0.0
    recall = both / len(right) if right else 0.0
    total = len(right) + len(guessed)
    return precision, recall, 2 * both / total if total else 0.0
