"""Whether a device gives the same bits twice: after a kill, and in loops of a known length.

    python -m benchmarks.gpu.bits WORKDIRS FOLDER DIGESTS RECIPE …

trains recipes, made tiny, to their end, from where WORKDIRS holds them, and writes their digests.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from benchmarks.gpu.correctness import compared
from benchmarks.harness import training
from benchmarks.harness.child import Timed
from benchmarks.harness.sides import ROOT
from genjax.engine import loop
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.run import prepare
from genjax.ops.platform import platform, traced_for
from tests.contracts import recipes, trees

_LAST = 8  # step of the newest checkpoint of a run that is killed
_RUNS = 5


def resumed(recipes: Sequence[str], flags: str) -> Timed:
    """Sets up a row `bits_*`: for each recipe, the share of leaves that differ in some bit.

    One process trains step by step and is killed with two steps that no checkpoint holds. A second
    one goes on from there, two train without a break; all with `flags` in XLA_FLAGS.
    """

    def run() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            _killed(folder / "killed", folder, recipes, flags)
            workdirs = [folder / name for name in ("killed", "whole", "again")]
            killed, whole, again = _ends(workdirs, recipes, flags)
        return {
            name: {
                "resumed_differ": _differing(killed[name], whole[name]),
                "repeated_differ": _differing(again[name], whole[name]),
            }
            for name in recipes
        }

    return Timed(run, info={"device": training.device_name()})


def _differing(a: dict[str, str], b: dict[str, str]) -> list[str]:
    """Names the leaves whose bits differ."""
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))


def _killed(workdirs: Path, folder: Path, names: Sequence[str], flags: str) -> None:
    """Trains until all recipes have halted behind their checkpoint, then kills the process."""
    log = workdirs.with_suffix(".log")
    module = "tests.contracts.training_child"
    child = _start(log, module, workdirs, folder, *names, flags=flags)
    last = Checkpoints(workdirs / names[-1] / "checkpoints")
    try:
        while _LAST not in last.steps():
            if child.poll() is not None:
                raise RuntimeError(f"it ended before it was killed: {_last_line(log)}")
            time.sleep(0.05)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


def _ends(workdirs: Sequence[Path], names: Sequence[str], flags: str) -> list[dict[str, Any]]:
    """Trains to the end, a process for each of `workdirs`; returns digests of recipes' states."""
    digests = [path.with_suffix(".json") for path in workdirs]
    logs = [path.with_suffix(".log") for path in workdirs]
    children = [
        # Each writes its cache of texts in a folder of its own.
        _start(log, "benchmarks.gpu.bits", path, path, file, *names, flags=flags)
        for log, path, file in zip(logs, workdirs, digests)
    ]
    for child, log in zip(children, logs):
        if child.wait():
            raise RuntimeError(_last_line(log))
    return [json.loads(file.read_text()) for file in digests]


def _start(log: Path, module: str, *arguments: Any, flags: str) -> subprocess.Popen[bytes]:
    given = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    with log.open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "XLA_FLAGS": given},
            stdout=subprocess.DEVNULL,
            stderr=said,
        )


def _last_line(log: Path) -> str:
    return (log.read_text(errors="replace").strip().splitlines() or ["it said nothing"])[-1]


def digested(workdirs: Path, folder: Path, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Trains recipes from where their workdirs are; returns a digest of each leaf at the end."""
    found = {}
    for name in names:
        config = recipes.tiny(name, folder, chunk=1, log_every=5)
        run = prepare(recipes.lipschitz(config))
        loop.train(run, workdirs / name)
        restored = Checkpoints(workdirs / name / "checkpoints").restore(run.executor.template())
        if restored is None:
            raise RuntimeError(f"{name}: has no checkpoint at its end")
        leaves = trees.leaves(restored[1])
        found[name] = {n: hashlib.sha256(x.tobytes()).hexdigest() for n, x in leaves.items()}
    return found


def loops(recipe: str, steps: int) -> Timed:
    """Sets up a row `loops_*`: a chunk as a loop of known length, and as one of any length.

    The result: seconds of a step of both, and how far their leaves differ (0: not in a bit).
    """
    # Where there is no accelerator, what would be traced for one runs on the CPU.
    wanted = "cuda" if platform() == "cpu" else platform()

    def run() -> dict[str, Any]:
        found: dict[str, Any] = {}
        ends = {}
        with tempfile.TemporaryDirectory() as folder, traced_for(wanted):
            for name, chunk in (("known", steps), ("dynamic", 2 * steps)):
                config = recipes.tiny(recipe, Path(folder), chunk=chunk, log_every=chunk)
                made = prepare(recipes.lipschitz(config))
                executor = made.executor
                state, _ = executor.run(executor.init(), 0, steps)
                ends[name] = trees.leaves(state)
                found[f"{name}_seconds"] = _median_seconds(executor, state, steps)
        return found | compared(ends["known"], ends["dynamic"])

    return Timed(run, info={"device": training.device_name()})


def _median_seconds(executor: Any, state: Any, steps: int) -> float:
    runs = []
    for i in range(1, _RUNS + 1):
        start = time.perf_counter()
        state, _ = executor.run(state, i * steps, steps)
        jax.block_until_ready(state)
        runs.append((time.perf_counter() - start) / steps)
    return sorted(runs)[_RUNS // 2]


if __name__ == "__main__":
    _workdirs, _folder, _digests, *_names = sys.argv[1:]
    _found = digested(Path(_workdirs), Path(_folder), _names)
    Path(_digests).write_text(json.dumps(_found))
