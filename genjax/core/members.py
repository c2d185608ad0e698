"""Numbers that each member of a population has: their mean, and how far it can be trusted."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


class Spread(NamedTuple):
    """What the members that are finite say of a number.

    Attributes:
      mean: nan where no member is finite.
      standard_error: of the mean, the standard deviation (ddof 1) over the root of `finite`; None
        for fewer than two members, of which there is none.
      finite: how many members are finite.
      lost: how many are not.
    """

    mean: float
    standard_error: float | None
    finite: int
    lost: int

    def __str__(self) -> str:
        if self.standard_error is None:
            return f"{self.mean:.4g}"
        return f"{self.mean:.4g} ± {self.standard_error:.2g}"

    def record(self) -> dict[str, Any]:
        """Returns it as JSON, without what there is no number of."""
        fields: dict[str, Any] = {"mean": self.mean if self.finite else None}
        if self.standard_error is not None:
            fields["standard_error"] = self.standard_error
        return fields | {"members": self.finite} | ({"not_finite": self.lost} if self.lost else {})


def spread(values: Any) -> Spread:
    """Computes mean and standard error over the members, from one number of each: (members,)."""
    x = np.asarray(values, np.float64).ravel()
    finite = x[np.isfinite(x)]
    n = finite.size
    error = float(finite.std(ddof=1)) / math.sqrt(n) if n > 1 else None
    return Spread(float(finite.mean()) if n else math.nan, error, n, x.size - n)


def by_name(members: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Turns the numbers of each member, by name, into a list over the members for each name."""
    return {name: [numbers[name] for numbers in members] for name in members[0]}


def explained(counts: Iterable[int], what: str = "members") -> str:
    """Says what ± stands for over so many members; empty where it is nowhere."""
    several = sorted({n for n in counts if n > 1})
    if not several:
        return ""
    number = f"{several[0]}" if len(several) == 1 else f"{several[0]} to {several[-1]}"
    return f"± standard error over {number} {what}"
