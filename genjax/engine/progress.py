"""How far a run is: a bar on a terminal, plain lines otherwise."""

import math
import sys
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, TextIO

_WINDOW = 20  # updates that the rate is taken over


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
        self._total, self._enabled = total_steps, enabled
        self._marks: deque[tuple[float, int]] = deque([(time.monotonic(), start_step)], _WINDOW)
        self._steady = False
        self._bar: Any = None
        if enabled and self._stream.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=total_steps, initial=start_step, file=self._stream, unit="step",
                dynamic_ncols=True, smoothing=0.1,
            )  # fmt: skip

    def update(self, step: int, metrics: Mapping[str, float] | None = None) -> None:
        """Tells that `step` is done; with `metrics` (by name) a plain line is printed."""
        now = time.monotonic()
        if len(self._marks) == 2 and not self._steady:
            self._marks.popleft()  # the first chunk held the compilation; later rates leave it out
            self._steady = True
        self._marks.append((now, step))
        if not self._enabled:
            return
        shown = "  ".join(f"{name} {value:.4g}" for name, value in (metrics or {}).items())
        if self._bar is not None:
            if shown:
                self._bar.set_postfix_str(shown, refresh=False)
            self._bar.update(step - self._bar.n)
        elif metrics is not None:
            line = f"step {step}/{self._total}  {self.rate():.4g} steps/s  {self._left(step)} left"
            print(f"{line}  {shown}".rstrip(), file=self._stream, flush=True)

    def rate(self) -> float:
        """Steps per second over the last updates; nan before the first."""
        (t0, s0), (t1, s1) = self._marks[0], self._marks[-1]
        return (s1 - s0) / (t1 - t0) if t1 > t0 else math.nan

    def message(self, text: str) -> None:
        """Prints a line of its own without tearing the bar."""
        if not self._enabled:
            return
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        else:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Leaves the bar as it stands; safe to call twice."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _left(self, step: int) -> str:
        rate = self.rate()
        if not rate > 0:
            return "?"
        minutes, seconds = divmod(round((self._total - step) / rate), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02}:{seconds:02}"
