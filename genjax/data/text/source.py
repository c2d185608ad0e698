"""Texts before they are tokens."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Texts(NamedTuple):
    """The texts of both splits.

    Attributes:
      kind: what they become, see `genjax.core.family.DataSpec`.
      identity: JSON that changes whenever they do.
      read: `read(split)`, of `"train"` or `"test"`, reads them anew, one by one: strings for kind
        `text`; (sentence, name of its class, where it stands) for `sentence`, the class "" if there
        are none; (source, target) for `pair`; (words, tags, where they stand) for `tagged`.
      ends: whether EOS follows each text of kind `text`; otherwise they are parts of one.
      source: where the splits come from, in a few words.
      warnings: what is probably a mistake in them, a line each.
    """

    kind: str
    identity: dict[str, Any]
    read: Callable[[str], Iterator[Any]]
    ends: bool = True
    source: str = ""
    warnings: tuple[str, ...] = ()
