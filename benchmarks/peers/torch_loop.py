"""What PyTorch's sides share: how they are set up, and the loop that is timed."""

from collections.abc import Callable

import torch

from benchmarks.child import Timed
from benchmarks.machine import cores

MODES = ("eager", "compiled")


def settle(mode: str) -> None:
    """Seed, threads and flushed denormals.

    Raises:
      ValueError: `mode` is none of `MODES`.
    """
    if mode not in MODES:
        raise ValueError(f"mode={mode!r}: must be one of {', '.join(MODES)}")
    torch.manual_seed(0)
    torch.set_num_threads(cores())
    torch.set_flush_denormal(True)


def timed_updates(update: Callable[[], None], updates: int, mode: str) -> Timed:
    """`updates` calls of `update` a run, after some that compile and warm up."""

    def run() -> None:
        for _ in range(updates):
            update()

    for _ in range(3):  # compiles
        update()
    run()
    settings = f"{mode}, {torch.get_num_threads()} threads, denormals flushed"
    return Timed(run, units=updates, info={"settings": settings})
