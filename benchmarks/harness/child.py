"""A benchmark's child process: sets one side up, then runs it whenever its parent asks.

    python -m benchmarks.harness.child MODULE:FUNCTION '{"keyword": "argument", …}'

The function returns a `Timed`. The protocol is one line each way, JSON on the way back: first
`{"ready": info}`; then for each `run` on standard input `{"seconds": …, "result": …}`; a failure
is `{"error": message}` and the end. `run 0.5` runs again until half a second has passed, and its
seconds are the mean. End of input ends the child, so it never outlives its parent.
"""

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple


class Timed(NamedTuple):
    """One side, set up: compiled, warmed up, its data in memory.

    Attributes:
      run: does the same fixed amount of work each time and returns when it is finished. What it
        returns reaches the parent as `result`, and must be JSON.
      units: how many of the row's units (iterations, epochs, runs) one `run` makes.
      info: settings and versions, for the record; must be JSON.
      seconds: where a run times itself: the seconds in what `run` returned; default: all of `run`.
    """

    run: Callable[[], Any]
    units: float = 1.0
    info: Mapping[str, Any] = MappingProxyType({})
    seconds: Callable[[Any], float] | None = None


def main(argv: Sequence[str]) -> int:
    """Serves until the input ends; returns the exit status."""
    # Libraries may print: standard output is the parent's, so theirs goes to standard error.
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def reply(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")

    try:
        module, function = argv[0].split(":")
        side = getattr(importlib.import_module(module), function)(**json.loads(argv[1]))
        reply({"ready": dict(side.info)})
        for line in sys.stdin:
            command, least = (*line.split(), "0")[:2]
            if command != "run":
                raise ValueError(f"unknown command {line!r}")
            seconds, result = _mean_seconds(side, float(least))
            reply({"seconds": seconds / side.units, "result": result})
    except Exception as error:
        traceback.print_exc()
        first_line = (str(error).strip() or "no message").splitlines()[0]
        reply({"error": f"{type(error).__name__}: {first_line}"})
        return 1
    return 0


def _mean_seconds(side: Timed, least: float) -> tuple[float, Any]:
    """Runs a side, again until `least` seconds have passed: the mean of a run, the last result."""
    start, runs, own = time.perf_counter(), 0, 0.0
    while runs == 0 or time.perf_counter() - start < least:
        result = side.run()
        runs += 1
        own += side.seconds(result) if side.seconds is not None else 0.0
    passed = time.perf_counter() - start if side.seconds is None else own
    return passed / runs, result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
