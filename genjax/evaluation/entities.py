"""Entities: spans of tagged words, scored as a whole (CoNLL 2003's measure).

A tag is `O`, or a letter and a type, as in `B-PER`: B begins an entity, I goes on, E ends one and S
is one of a single word (IOB, IOE, IOBES). Where tags do not fit together they are read as
conlleval reads them, and seqeval: what cannot go on begins.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_TAG = re.compile(r"O|[BIES](-.*)?")


class Entity(NamedTuple):
    """A type and the places of its first and last word."""

    type: str
    first: int
    last: int


def are_spans(tags: Iterable[str]) -> bool:
    """Whether all tags are such as mark entities."""
    return all(_TAG.fullmatch(tag) for tag in tags)


def entities(tags: Sequence[str]) -> set[Entity]:
    """The entities of one sentence."""
    found: set[Entity] = set()
    first, before, before_type = 0, "O", ""
    for i, tag in enumerate([*tags, "O"]):
        letter, _, name = tag.partition("-")
        name = name or "_"
        if before in ("B", "I") and letter in ("I", "E") and name == before_type:
            before = letter
            continue
        if before != "O":
            found.add(Entity(before_type, first, i - 1))
        first, before, before_type = i, letter, name
    return found


def entity_scores(
    tags: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]]
) -> dict[str, float]:
    """`precision`, `recall` and `f1` of entities, right in type and both ends; `f1_TYPE` of each.

    A ratio of nothing to nothing is 0.

    Args:
      tags: those of each sentence.
      predicted: those that were predicted, as many for each sentence.
    """
    right: set[tuple[int, Entity]] = set()
    guessed: set[tuple[int, Entity]] = set()
    for i, (row, other) in enumerate(zip(tags, predicted, strict=True)):
        if len(row) != len(other):
            raise ValueError(f"sentence {i}: {len(row)} tags, {len(other)} predicted; must agree")
        right |= {(i, entity) for entity in entities(row)}
        guessed |= {(i, entity) for entity in entities(other)}
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
