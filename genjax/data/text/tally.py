"""What encoding a split finds out about it, kept beside its tokens in the cache."""

import collections
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from genjax.core.tokens import UNK


class Tally:
    """Counts of one split of `what` (sentences, pairs); see `genjax.data.source.Dataset.found`."""

    def __init__(self, what: str):
        self.what = what
        self.examples = self.cut = self.entities = 0
        self._tokens = self._unknown = 0
        self._classes: collections.Counter[str] = collections.Counter()
        self._first = ("", "")

    def tokens(self, texts: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yields the same texts, and counts their tokens as they pass."""
        for ids in texts:
            self._tokens += len(ids)
            self._unknown += int(np.count_nonzero(np.asarray(ids) == UNK))
            yield ids

    def label(self, label: str, where: str) -> None:
        """Counts an example of a class, which stands at `where`."""
        self._first = self._first if self._classes else (label, where)
        self._classes[label] += 1

    def facts(self) -> dict[str, Any]:
        """Returns all of it as JSON, without what says nothing."""
        facts: dict[str, Any] = {}
        if self.cut:
            facts["cut"] = {"count": self.cut, "of": self.examples, "what": self.what}
            if self.entities:
                facts["cut"]["entities"] = self.entities
        if self._unknown:
            facts["unknown"] = self._unknown / self._tokens
        if message := self._odd():
            facts["warning"] = message
        return facts

    def _odd(self) -> str:
        """Warns of what a header line that is not recognized looks like: a class of its own."""
        (label, where), counts = self._first, self._classes
        alone = counts[label] == 1 and sum(n == 1 for n in counts.values()) == 1
        if len(counts) < 2 or not alone or not where.endswith(": line 1"):
            return ""
        return f"{where}: class {label[:40]!r} has no other example; is this a header line?"
