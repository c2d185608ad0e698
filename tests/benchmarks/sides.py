"""Sides that need no library: what the harness does with them is what is tested."""

import importlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.harness.child import Timed
from benchmarks.harness.sides import Side


def set_up(side: Side, **changes: Any) -> Timed:
    """A side in this process, with other arguments."""
    module, function = side.target.split(":")
    return getattr(importlib.import_module(module), function)(**{**side.arguments, **changes})


def logging_side(path: str, name: str, units: float = 1.0) -> Timed:
    """Appends its name and the time at both ends of each run to a file."""

    def run() -> str:
        start = time.monotonic()
        time.sleep(0.01)
        with open(path, "a") as f:
            f.write(f"{name} {start} {time.monotonic()}\n")
        return name

    return Timed(run, units=units, info={"settings": f"the side {name}"})


def own_clock() -> Timed:
    """A side that times itself."""
    return Timed(lambda: 12.5, seconds=float)


def on_device(device: str) -> Timed:
    """A side that says where it runs."""
    return Timed(lambda: time.sleep(0.01), info={"device": device})


def talkative() -> Timed:
    """Prints on standard output, as libraries do."""
    print("set up")
    subprocess.run([sys.executable, "-c", "print('a child of its own')"], check=True)
    return Timed(lambda: print("running"))


def broken() -> Timed:
    """Cannot be set up."""
    raise ValueError("no luck\nat all")


def broken_later() -> Timed:
    """Fails in its second run."""
    runs = iter([None])
    return Timed(lambda: next(runs))


def dying() -> Timed:
    """Ends without a word."""
    print("last words", file=sys.stderr)
    sys.exit(5)


def hanging(seconds: float = 60.0) -> Timed:
    """Runs for long."""
    return Timed(lambda: time.sleep(seconds))


def parent_of(path: str) -> Timed:
    """Starts a process that would outlive it, and writes its id."""
    process = subprocess.Popen(["sleep", "120"])
    Path(path).write_text(str(process.pid))
    return Timed(lambda: None)
