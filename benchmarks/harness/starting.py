"""Sides that start a program and time it until its first training step is done."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.child import Timed
from benchmarks.harness.sides import ROOT

_POLL_SECONDS = 0.005
_PATIENCE_SECONDS = 150.0


def ours(recipe: str, data_dir: str = "") -> Timed:
    """Sets up `python -m experiments.train`, whose first run fills the compilation cache.

    The first step is done when its metrics are in `metrics.jsonl`; nothing is trained after that.
    """

    def run() -> float:
        with tempfile.TemporaryDirectory() as folder:
            workdir = Path(folder) / "run"
            command = [
                sys.executable, "-m", "experiments.train", f"--config={recipe}",
                f"--workdir={workdir}", "--config.log_every=1",
            ]  # fmt: skip
            if data_dir:
                command.append(f"--config.data.dir={data_dir}")
            return seconds_until(command, lambda: _has_line(workdir / "metrics.jsonl"))

    run()
    info = {"settings": f"experiments.train, {recipe}, compilation cache warm"}
    return Timed(run, info=info, seconds=float)


def program(recipe: str, fields: dict[str, Any], runs: int) -> Timed:
    """Sets up a whole `experiments.train`, from start to end, over the `runs` that it makes."""

    def run() -> float:
        with tempfile.TemporaryDirectory() as folder:
            command = [
                sys.executable, "-m", "experiments.train", f"--config={recipe}",
                f"--workdir={folder}/run", *(f"--config.{k}={v}" for k, v in fields.items()),
            ]  # fmt: skip
            start = time.perf_counter()
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE_SECONDS
            )
            seconds = time.perf_counter() - start
            if done.returncode:
                raise RuntimeError(f"exit status {done.returncode}: {done.stderr.strip()[-500:]}")
            return seconds / runs

    run()
    info = {"settings": f"experiments.train, {recipe}, {fields}, compilation cache warm"}
    return Timed(run, info=info, seconds=float)


def torch_script(recipe: str, num_examples: int, height: int) -> Timed:
    """Sets up `torch_first_step`: the recipe's networks, an .npy file like its data."""
    from genjax import recipes  # in this process only, not in the one that is timed

    c = recipes.load(str(ROOT / recipe))
    settings = {
        "network": c.model.network, "hidden": [c.model.generator_hidden, c.model.critic_hidden],
        "channels": c.model.critic_channels, "latent_dim": c.model.latent_dim,
        "batch_size": c.batch_size, "n_critic": c.loss.n_critic,
        "penalty_weight": c.loss.penalty_weight, "learning_rate": c.optimizer.learning_rate,
        "b1": c.optimizer.b1, "b2": c.optimizer.b2,
    }  # fmt: skip
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name) / "images.npy"
    shape = (num_examples, height, height)
    np.save(path, np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    script = "benchmarks.peers.torch_first_step"
    command = [sys.executable, "-m", script, str(path), json.dumps(settings)]

    def run(folder: Any = folder) -> float:  # holds the folder as long as the side
        return seconds_until(command)

    run()
    info = {"settings": f"eager script, networks of {recipe}, .npy file"}
    return Timed(run, info=info, seconds=float)


def seconds_until(command: Sequence[str], done: Callable[[], bool] | None = None) -> float:
    """Starts a program, measures the seconds until it is `done`, and ends its process group.

    Args:
      command: the program and its arguments, run in the repository's root.
      done: asked every few milliseconds; None: the first line on standard output.

    Raises:
      RuntimeError: it ended before, or took longer than 150 s.
    """
    with tempfile.TemporaryFile() as stderr, tempfile.TemporaryFile() as stdout:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=stdout, stderr=stderr, start_new_session=True
        )
        if done is None:
            done = lambda: os.fstat(stdout.fileno()).st_size > 0  # noqa: E731
        try:
            while not done():
                if time.perf_counter() - start > _PATIENCE_SECONDS:
                    raise RuntimeError(f"no first step within {_PATIENCE_SECONDS:.0f} s")
                if process.poll() is not None and not done():
                    stderr.seek(0)
                    said = stderr.read().decode(errors="replace").strip().splitlines()
                    raise RuntimeError(f"ended before its first step: {said[-1:]}")
                time.sleep(_POLL_SECONDS)
            return time.perf_counter() - start
        finally:
            if process.returncode is None:  # else its id may be another's by now
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _has_line(path: Path) -> bool:
    try:
        return b"\n" in path.read_bytes()
    except OSError:
        return False
