"""Being asked to stop: SIGTERM, SIGINT and SIGHUP, noted now, obeyed at the next safe point."""

import signal
import threading
from types import FrameType
from typing import Any

import jax
import numpy as np


class Preemption:
    """Notes SIGTERM, SIGINT and SIGHUP in `requested`, and does nothing else, while it is entered.

    The handlers before return after. SIGHUP tells that the terminal is gone; where it is ignored
    already, as under nohup, it stays so: the run is to outlive its terminal. A second SIGINT raises
    `KeyboardInterrupt` at once, for who cannot wait for the next safe point. Outside the main
    thread, where Python allows no handlers, nothing is installed.

    Attributes:
      requested: number of the signal that came, None if none has.
    """

    def __init__(self) -> None:
        self.requested: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "Preemption":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                    continue
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._previous.items():
            # None: installed from C, and not ours to put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._previous.clear()

    def agreed(self) -> bool:
        """Says whether any process was asked to stop; the same answer on all of them.

        With several processes this is a collective: all call it, at the same steps. Afterwards
        `requested` is set everywhere.
        """
        if jax.process_count() > 1:
            from jax.experimental import multihost_utils

            mine = np.int32(self.requested or 0)
            highest = int(np.max(multihost_utils.process_allgather(mine)))
            if highest and self.requested is None:
                self.requested = highest
            return bool(highest)
        return self.requested is not None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested = self.requested or number
