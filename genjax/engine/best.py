"""The best state of a run by one number of its evaluations, kept beside the newest ones."""

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from genjax.core.config import ConfigError
from genjax.engine.checkpoints import Checkpoints, from_process_0

BEST = "checkpoints_best"
MODES = {"min": 1.0, "max": -1.0}  # and the sign that makes smaller better


class Best(NamedTuple):
    """The `metric`, its best `value`, and the `step` of the state that it was evaluated on."""

    metric: str
    value: float
    step: int


class BestCheckpoint:
    """Keeps the state whose `metric` was best.

    The value lies in the checkpoint's manifest, so value and state are complete together or not at
    all: a run that is killed at any moment resumes with the best state that it has. What was kept
    by another metric or mode does not count. Every process calls `offer`, `wait` and `close` alike,
    and process 0 decides.

    Args:
      workdir: the run's folder.
      metric: name of the number.
      mode: a key of `MODES`: whether small or large values are good.
    """

    def __init__(self, workdir: str | os.PathLike[str], metric: str, mode: str):
        self._checkpoints = Checkpoints(Path(workdir) / BEST, keep_last=1)
        self._metric, self._mode = metric, mode
        self.best = best(workdir, metric, mode)

    def carry(self, files: Mapping[str, bytes]) -> None:
        """Sets what each checkpoint holds beside the state, see `Checkpoints.carried`."""
        self._checkpoints.carried = files

    def offer(self, step: int, value: float, state: Callable[[], Any]) -> None:
        """Keeps `state()` as that of `step` if `value` is better than the best so far.

        Equal is not better, and a value that is not finite never is. Saves in the background.

        Raises:
          SaveError: it, or the one before, could not be written.
        """
        sign = MODES[self._mode]
        better = math.isfinite(value) and (
            self.best is None or sign * value < sign * self.best.value
        )
        # Values may differ in their last bits between machines.
        if from_process_0(better):
            note = {"metric": self._metric, "mode": self._mode, "value": value}
            self._checkpoints.save(step, state(), note=note)
            self.best = Best(self._metric, value, step)

    def wait(self) -> None:
        """Waits for the save in the background; raises its `SaveError` if it failed."""
        self._checkpoints.wait()

    def close(self) -> None:
        """Waits as `wait`, and lets go of orbax."""
        self._checkpoints.close()


def best(workdir: str | os.PathLike[str], metric: str, mode: str) -> Best | None:
    """Finds the best complete checkpoint by `metric`, of equal ones the earliest."""
    checkpoints = Checkpoints(Path(workdir) / BEST)
    notes = {step: checkpoints.note(step) for step in checkpoints.steps()}
    found = [
        (MODES[mode] * note["value"], step)
        for step, note in notes.items()
        if (note.get("metric"), note.get("mode")) == (metric, mode)
        and isinstance(note.get("value"), int | float)
    ]
    if not found:
        return None
    _, step = min(found)
    return Best(metric, notes[step]["value"], step)


def check_metric(metric: str, known: set[str]) -> None:
    """Raises `ConfigError` unless the evaluations of the run give `metric`."""
    if metric and metric not in known:
        raise ConfigError(
            f"config.best_metric={metric!r}: is no number of this run's evaluations; must be one "
            f"of {', '.join(sorted(known))}"
        )
