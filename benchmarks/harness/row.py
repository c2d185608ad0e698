"""A row: what is compared, with which settings, and what its floor is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.sides import Side


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
      name: of the row.
      peer: what ours is compared with.
      unit: what `seconds` are seconds of.
      ours: our side.
      peers: modes of the peer; the quickest counts.
      search: further modes, run with `--search` only: they were slower where they were tried.
      products: matrix products of one unit that nobody can do without; empty: no floor is stated.
      rounds: by default.
      settings: both sides' arguments, for the record.
      needs: a path without which the row cannot be run; empty: none.
    """

    name: str
    peer: str
    unit: str
    ours: Side
    peers: tuple[Side, ...]
    search: tuple[Side, ...] = ()
    products: tuple[Product, ...] = ()
    rounds: int = 9
    settings: Mapping[str, Any] = field(default_factory=dict)
    needs: str = ""


def ours(function: Callable[..., Timed], arguments: Mapping[str, Any], label: str = "scan") -> Side:
    """Makes our side of a row."""
    return Side(label, f"{function.__module__}:{function.__name__}", arguments)


def peers(
    target: str, modes: str, arguments: Mapping[str, Any], packages: tuple[str, ...] = ("torch",)
) -> tuple[Side, ...]:
    """Makes a side for each mode, an argument, of a function `benchmarks.peers.TARGET`."""
    return tuple(
        Side(mode, f"benchmarks.peers.{target}", {"mode": mode, **arguments}, packages)
        for mode in modes.split()
    )
