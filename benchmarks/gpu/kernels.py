"""Kernels that a device starts for a training step, beside what its compiler told without it."""

import json
from typing import Any

import jax

from benchmarks.compile import child, hlo
from benchmarks.harness.child import Timed
from benchmarks.harness.sides import ROOT
from benchmarks.harness.training import device_name

_RECORD = ROOT / "benchmarks/compile/results.json"


def counted(recipe: str, platform: str) -> Timed:
    """Sets up a row `kernels_*`: `kernels` of a step of a recipe, compiled here for this device.

    `foreseen` are those of `benchmarks.compile` for an H100, where they are recorded: the compiler
    had no device then to try kernels on. `unknown_loops` are those whose end the host waits for.
    """

    def run() -> dict[str, Any]:
        lowered = child.chunk(recipe, [], jax.devices()[:1], platform)[2]
        step = hlo.step(lowered.compile().as_text() or "")
        return {
            "kernels": step.counts.kernels,
            "foreseen": _foreseen(recipe),
            "unknown_loops": step.counts.unknown,
        }

    return Timed(run, info={"device": device_name()})


def _foreseen(recipe: str) -> float | None:
    rows = json.loads(_RECORD.read_text())
    wanted = {"target": "h100", "recipe": recipe, "number": 1, "fields": []}
    return next(
        (r["kernels"] for r in rows if wanted.items() <= r.items() and "error" not in r), None
    )
