"""Measures one row: all its sides in turn, then medians, ratio and floor."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.harness import floor, machine
from benchmarks.harness.row import Row
from benchmarks.harness.sides import Child, Side, SideError, interleave, same_device, spread

INSTALL = "pip install .[benchmarks]"


def measure(row: Row, rounds: int | None = None, search: bool = False) -> dict[str, Any]:
    """Measures a row.

    Our side runs even where the peer is not installed; a peer's mode that fails is told in `note`
    and left out. What stops our own side is raised.

    Args:
      row: what to measure.
      rounds: how often each side runs; None: the row's own number.
      search: the peer's further modes as well.

    Raises:
      SideError: our side failed, or a peer's runs on another device.
    """
    result: dict[str, Any] = {
        "name": row.name, "peer": row.peer, "peer_version": None, "seconds": None,
        "peer_seconds": None, "ratio": None, "floor_seconds": None, "runs": rounds or row.rounds,
        "unit": row.unit, "peer_mode": None, "modes": {}, "settings": dict(row.settings),
    }  # fmt: skip
    if row.needs and not Path(row.needs).exists():
        return result | {"note": f"not run: needs {row.needs}"}
    notes, peers = [], []
    for side in (*row.peers, *(row.search if search else ())):
        if missing := side.missing():
            notes.append(f"{side.label}: {', '.join(missing)} not installed: {INSTALL}")
        else:
            peers.append(side)
    gemm = (
        [Side("gemm", "benchmarks.harness.gemm:rates", {"shapes": row.products})]
        if row.products
        else []
    )
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(Child(side)) for side in (row.ours, *gemm)]
        for side in peers:
            try:
                children.append(stack.enter_context(Child(side)))
            except SideError as error:
                notes.append(f"{side.label} left out: {str(error).splitlines()[0]}")
        same_device(children)
        meter = machine.Meter()
        replies = interleave(children, result["runs"])
        others = meter.other_cores()
    for child, got in zip(children, replies):
        if child.side in gemm:
            _add_floor(result, row, [reply["result"] for reply in got])
        else:
            result["modes"][_label(row, child.side)] = _mode(child, got)
    _add_ratio(result, row, [child.side for child in children if child.side in peers])
    alone = None if others is None else others < machine.IDLE_CORES
    return result | {"other_cores": others, "alone": alone, "note": "; ".join(notes)}


def _label(row: Row, side: Side) -> str:
    return f"{'genjax' if side is row.ours else row.peer} {side.label}"


def _mode(child: Child, replies: Sequence[dict[str, Any]]) -> dict[str, Any]:
    runs = [reply["seconds"] for reply in replies]
    return {
        "seconds": median(runs),
        "spread": spread(runs),
        "all_seconds": runs,
        "settings": child.info.get("settings", ""),
    }


def _add_ratio(result: dict[str, Any], row: Row, sides: Sequence[Side]) -> None:
    """Adds our time, and the peer's: that of its quickest mode."""
    result["seconds"] = result["modes"][_label(row, row.ours)]["seconds"]
    if result["floor_seconds"]:
        result["floor_share"] = result["floor_seconds"] / result["seconds"]
    if not sides:
        return
    best = min(sides, key=lambda side: result["modes"][_label(row, side)]["seconds"])
    result["peer_mode"] = best.label
    result["peer_version"] = best.version() or f"genjax {machine.version('genjax')}"
    result["peer_seconds"] = result["modes"][_label(row, best)]["seconds"]
    result["ratio"] = result["peer_seconds"] / result["seconds"]


def _add_floor(result: dict[str, Any], row: Row, measured: Sequence[dict[str, float]]) -> None:
    """Adds `floor_seconds` at large squares' rate, `floor_seconds_shapes` of its own shapes."""
    operations = floor.flops(row.products)
    rate = median([m["square_flops"] for m in measured])
    result["floor_seconds"] = operations / rate
    result["floor_seconds_shapes"] = median([m["shapes_seconds"] for m in measured])
    result["gigaflops"], result["gemm_gflops"] = operations / 1e9, rate / 1e9
