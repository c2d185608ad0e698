"""Makes rows: each side in a process of its own, within a time, and whatever fails as a line."""

import contextlib
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks.gpu.row import Row
from benchmarks.harness.sides import Child, Side, SideError, same_device, spread

LEAST_SECONDS = 0.5  # of a run: shorter ones measure how processes are scheduled
ROUNDS = 3


class OutOfTimeError(Exception):
    """The time of all rows ended this one."""


def made(row: Row, seconds: float, rounds: int = ROUNDS, least: float = LEAST_SECONDS) -> Any:
    """Makes a row; what fails is told in `error` or, of a peer, in `notes`.

    Raises:
      OutOfTimeError: `seconds` were not enough.
    """
    start = time.monotonic()
    result: dict[str, Any] = {"about": row.about}
    try:
        if row.unit:
            result |= _compared(row, start + seconds, rounds, least)
        elif missing := row.sides[0].missing():
            result["skipped"] = f"{', '.join(missing)} not installed"
        else:
            result |= _done(row.sides[0], min(row.seconds, seconds))
    except SideError as error:
        if time.monotonic() > start + seconds - 1:
            raise OutOfTimeError from None
        result["error"] = _lines(error)
    return result | {"took_seconds": round(time.monotonic() - start, 1)}


def _lines(error: Exception) -> str:
    """Returns what failed, and the last that it said, in a line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " | ".join([lines[0][:400], *(line[:200] for line in lines[1:][-2:])])


def _done(side: Side, seconds: float) -> dict[str, Any]:
    end = time.monotonic() + seconds
    with Child(side, seconds) as child:
        result = child.run(max(1.0, end - time.monotonic()))["result"]
        return {"device": child.device, "result": result}


def _compared(row: Row, end: float, rounds: int, least: float) -> dict[str, Any]:
    notes: list[str] = []
    replies: dict[str, list[dict[str, Any]]] = {}
    with contextlib.ExitStack() as stack:
        children: list[Child] = []
        for side in row.sides:
            ours = side is row.sides[0]
            if missing := side.missing():
                notes.append(f"{side.label}: {', '.join(missing)} not installed")
                continue
            try:
                child = stack.enter_context(Child(side, min(row.seconds, end - time.monotonic())))
            except SideError as error:
                if ours or time.monotonic() > end - 1:
                    raise
                notes.append(f"{side.label} left out: {_lines(error)}")
            else:
                children.append(child)
        device = same_device(children)
        for _ in range(rounds):
            for child in list(children):
                try:
                    reply = child.run(min(row.seconds, end - time.monotonic()), least)
                except SideError as error:
                    if child is children[0] or time.monotonic() > end - 1:
                        raise
                    notes.append(f"{child.side.label} left out: {_lines(error)}")
                    children.remove(child)
                else:
                    replies.setdefault(child.side.label, []).append(reply)
    info = {child.side.label: child.info for child in children}
    modes = {label: _mode(row, replies[label], info[label]) for label in info}
    first, *peers = (child.side.label for child in children)
    best = min(peers, key=lambda label: modes[label]["seconds"], default=None)
    ratio = modes[best]["seconds"] / modes[first]["seconds"] if best else None
    return {
        "device": device, "unit": row.unit, "precision": row.precision, "modes": modes,
        "peer": best, "ratio": ratio, "notes": notes, "settings": dict(row.sides[0].arguments),
    }  # fmt: skip


def _mode(row: Row, replies: Sequence[dict[str, Any]], info: dict[str, Any]) -> dict[str, Any]:
    runs = [reply["seconds"] for reply in replies]
    seconds = median(runs)
    return {
        "seconds": seconds,
        "spread": spread(runs),
        "rate": row.amount / seconds,
        "flops": row.flops / seconds,
        "peak_bytes": (replies[-1]["result"] or {}).get("peak_bytes"),
        "settings": info.get("settings", ""),
    }
