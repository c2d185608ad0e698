"""Tags of words, and the entities that they mark: spans that count as a whole.

A tag is `O`, or a letter and a type, as in `B-PER`. The letters of all schemes in use are read:

- B begins an entity, I (of BMES: M) goes on,
- E (of BILOU: L) ends one, S (of BILOU: U; W) is one of a single word.

The letter may be small (`b-per`), the type may come first (`PER-B`), and there may be none (`B`).
Where tags do not fit together they are read as conlleval and seqeval read them: what cannot go on
begins. So IOB1, IOB2 and IOE need no mention.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_MEANINGS = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S", "W": "S"}
_SCHEMES = {  # letters beside O
    "BIO": "BI", "IOE": "IE", "BIOES": "BIES", "BILOU": "BILU", "BMES": "BMES", "BMEW": "BMEW",
}  # fmt: skip
_FIRST = re.compile(r"([BIMELSUW])(?:[-_](.+))?", re.IGNORECASE | re.DOTALL)
_LAST = re.compile(r"(?:(.+)[-_])?([BIMELSUW])", re.IGNORECASE | re.DOTALL)


class Entity(NamedTuple):
    """A type and the places of its first and last word."""

    type: str
    first: int
    last: int


class Scheme(NamedTuple):
    """How tags mark entities.

    Attributes:
      name: BIO (which IOB1 and IOB2 are), IOE, BIOES, BILOU, BMES, BMEW; mixed: letters of several.
      suffix: whether the letter stands behind the type, `PER-B`.
    """

    name: str
    suffix: bool = False


def scheme(tags: Iterable[str]) -> Scheme | None:
    """Finds the scheme of a set of tags; None where they are not all such as mark entities."""
    tags = set(tags)
    for suffix in (False, True):
        read = [parts(tag, suffix) for tag in tags if not _is_outside(tag)]
        if not all(read):
            continue
        letters = {part[0].upper() for part in read if part}
        if letters and not letters & {"B", "I"} and not any(part[1] for part in read if part):
            continue  # letters of another alphabet of tags, such as M and W
        named = [name for name, known in _SCHEMES.items() if letters <= set(known)]
        return Scheme(named[0] if named else "mixed", suffix)
    return None


def parts(tag: str, suffix: bool = False) -> tuple[str, str] | None:
    """Returns letter and type ("" if it has none) of a tag other than O; None of other words."""
    found = (_LAST if suffix else _FIRST).fullmatch(tag)
    if found is None:
        return None
    letter, name = reversed(found.groups()) if suffix else found.groups()
    return letter, name or ""


def entities(tags: Sequence[str], suffix: bool = False) -> set[Entity]:
    """Returns the entities of one sentence.

    Args:
      tags: of its words; what is no tag of an entity is outside of all.
      suffix: see `Scheme`.
    """
    found: set[Entity] = set()
    first, before, before_type = 0, "O", ""
    for i, tag in enumerate([*tags, "O"]):
        letter, name = _meaning(tag, suffix)
        if before in ("B", "I") and letter in ("I", "E") and name == before_type:
            before = letter
            continue
        if before != "O":
            found.add(Entity(before_type, first, i - 1))
        first, before, before_type = i, letter, name
    return found


def _is_outside(tag: str) -> bool:
    return tag in ("O", "o")


def _meaning(tag: str, suffix: bool) -> tuple[str, str]:
    """Returns B, I, E, S or O, and the type."""
    read = None if _is_outside(tag) else parts(tag, suffix)
    return (_MEANINGS[read[0].upper()], read[1] or "_") if read else ("O", "")
