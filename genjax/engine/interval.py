"""The means of a log interval's metrics, which do not depend on how it was cut into chunks."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from genjax.engine.writers import from_json, to_json

SKIPPED = "skipped"  # the metric that is 1 where an update was left out, else 0


class Interval:
    """Adds up metrics step by step, in float64 and in the order of the steps.

    So the means are the same numbers bit for bit, whether the steps came in one chunk or in many,
    and whether or not the run was killed and resumed between them.

    Attributes:
      since: the number of updates made before the interval's first.
      steps: how many were added.
    """

    def __init__(self, since: int):
        self.since, self.steps = since, 0
        self._sums: dict[str, np.ndarray] = {}

    def add(self, metrics: Mapping[str, np.ndarray]) -> None:
        """Adds steps: each metric of shape (n,), or (members, n) for a population."""
        for name, values in metrics.items():
            x = np.asarray(values, np.float64)
            before = self._sums.get(name, np.zeros(x.shape[:-1]))
            # Accumulated, not summed: that adds pairs of pairs, by the length of the chunk.
            self._sums[name] = np.add.accumulate(np.insert(x, 0, before, axis=-1), axis=-1)[..., -1]
        self.steps += x.shape[-1]

    def means(self) -> dict[str, np.ndarray]:
        """Returns each metric's mean over the updates that were made, (members,) for a population.

        `skipped` is the share of the steps that were not; where that is 1, the means are nan.
        """
        sums = dict(self._sums)
        if SKIPPED not in sums:
            return {name: s / self.steps for name, s in sums.items()}
        skipped = sums.pop(SKIPPED)
        with np.errstate(invalid="ignore"):  # 0 / 0
            means = {name: s / (self.steps - skipped) for name, s in sums.items()}
        return means | {SKIPPED: skipped / self.steps}

    def note(self) -> dict[str, Any]:
        """Returns all of it as JSON, for a checkpoint in the middle of the interval."""
        return {"since": self.since, "steps": self.steps, "sums": to_json(self._sums)}

    @classmethod
    def resumed(cls, note: Any, step: int, log_every: int) -> "Interval":
        """Makes the interval that `step` lies in, as `note` has it if it is of that interval.

        It is not where there is none (in older checkpoints), or where `log_every` was another: then
        the means are over the steps from here on.
        """
        interval = cls(step - step % log_every)
        there = note if isinstance(note, dict) and isinstance(note.get("sums"), dict) else {}
        made = step - interval.since
        if (there.get("since"), there.get("steps")) != (interval.since, made):
            interval.since = step
            return interval
        interval.steps = made
        interval._sums = {n: np.asarray(s, np.float64) for n, s in from_json(there["sums"]).items()}
        return interval
