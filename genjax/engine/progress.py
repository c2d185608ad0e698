"""How far a run is: a line that stays in its place on a terminal, plain lines otherwise."""

import math
import os
import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TextIO

_WINDOW = 20  # updates that the rate is taken over
_PAUSE = 0.1  # seconds between two drawings of the bar, unless metrics are new
_CELLS = 10  # of the bar
_COLUMNS = 80  # of a terminal that does not tell


class Progress:
    """Shows steps, steps/s, time left and the latest metrics.

    Args:
      total_steps: the last step of the run.
      start_step: the step it begins at.
      enabled: False on every process but 0: shows nothing.
      stream: where to; standard error if None.
    """

    def __init__(
        self,
        total_steps: int,
        start_step: int = 0,
        *,
        enabled: bool = True,
        stream: TextIO | None = None,
    ) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._total, self._step, self._enabled = total_steps, start_step, enabled
        # Empty until the first chunk is done: it holds the compilation, which no rate is to hold.
        self._marks: deque[tuple[float, int]] = deque(maxlen=_WINDOW)
        self._metrics: list[str] = []
        self._bar = enabled and self._stream.isatty()
        self._drawn, self._drawn_at = "", -math.inf

    def update(self, step: int, metrics: Mapping[str, float] | None = None) -> None:
        """Shows that `step` is done; with `metrics` (by name) prints a plain line."""
        self._marks.append((time.monotonic(), step))
        self._step = step
        if not self._enabled:
            return
        if metrics is not None:
            self._metrics = [f"{name} {value:.4g}" for name, value in metrics.items()]
        if self._bar:
            self._draw(now=bool(metrics))
        elif metrics is not None:
            self._print("  ".join([*self._parts(), *self._metrics]))

    def rate(self) -> float:
        """Returns steps per second over the last updates; nan before the second."""
        if len(self._marks) < 2:
            return math.nan
        (t0, s0), (t1, s1) = self._marks[0], self._marks[-1]
        return (s1 - s0) / (t1 - t0) if t1 > t0 else math.nan

    def close(self) -> None:
        """Leaves the bar as it stands; safe to call twice."""
        if self._bar:
            self._draw(now=True)
            self._print("")
            self._bar = False

    def _parts(self) -> list[str]:
        rate = self.rate()
        message = f"{rate:.4g} steps/s" if rate > 0 else "? steps/s"
        return [f"step {self._step}/{self._total}", message, f"{self._left(rate)} left"]

    def _left(self, rate: float) -> str:
        if self._step >= self._total:
            return "0:00:00"
        if not rate > 0:
            return "?"
        minutes, seconds = divmod(round((self._total - self._step) / rate), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}"

    def _draw(self, *, now: bool) -> None:
        """Draws the bar in place of the one before, unless that is still new."""
        if not now and time.monotonic() - self._drawn_at < _PAUSE:
            return
        self._drawn_at = time.monotonic()
        width = self._columns() - 1  # the last column would wrap the line on some terminals
        filled = _CELLS * self._step // max(self._total, 1)
        bar = f"[{'#' * filled}{'.' * (_CELLS - filled)}]"
        line = _fitting([*self._parts(), *self._metrics], width)
        if len(bar) + 1 + len(line) <= width:
            line = f"{bar} {line}"
        rest = " " * max(0, min(len(self._drawn), width) - len(line))
        self._write(f"\r{line}{rest}")
        self._drawn = line

    def _columns(self) -> int:
        """Returns the width of the terminal, as it is now."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or _COLUMNS
        except (OSError, ValueError):
            return _COLUMNS

    def _print(self, line: str) -> None:
        self._write(f"{line.rstrip()}\n")

    def _write(self, text: str) -> None:
        print(text, end="", file=self._stream, flush=True)


def _fitting(parts: Iterable[str], width: int) -> str:
    """Joins the first parts that fit into `width` columns, whole."""
    line = ""
    for part in parts:
        longer = f"{line}  {part}" if line else part
        if len(longer) > width:
            break
        line = longer
    return line
