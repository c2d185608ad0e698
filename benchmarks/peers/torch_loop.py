"""What PyTorch's sides share: how they are set up, and the loop that is timed."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from benchmarks.child import Timed
from benchmarks.machine import cores

MODES = ("eager", "compiled")


def settle(mode: str = "eager", modes: Sequence[str] = MODES, seed: int = 0) -> None:
    """Seed, threads and flushed denormals.

    Raises:
      ValueError: `mode` is none of `modes`.
    """
    if mode not in modes:
        raise ValueError(f"mode={mode!r}: must be one of {', '.join(modes)}")
    torch.manual_seed(seed)
    torch.set_num_threads(cores())
    torch.set_flush_denormal(True)


def described(how: str) -> dict[str, str]:
    """A side's `info`: `how` it ran, and with what."""
    return {"settings": f"{how}, {torch.get_num_threads()} threads, denormals flushed"}


def adamw(
    network: nn.Module, learning_rate: float, betas: tuple[float, float], weight_decay: float
) -> torch.optim.Optimizer:
    """Fused AdamW that decays matrices alone."""
    matrices = [p for p in network.parameters() if p.ndim >= 2]
    others = [p for p in network.parameters() if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, learning_rate, betas, fused=True)


def timed_updates(update: Callable[[], None], updates: int, mode: str) -> Timed:
    """`updates` calls of `update` a run, after some that compile and warm up."""

    def run() -> None:
        for _ in range(updates):
            update()

    for _ in range(3):  # compiles
        update()
    run()
    return Timed(run, units=updates, info=described(mode))
