"""What PyTorch's sides share: how they are set up, their batches, and the loop that is timed."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.harness.child import Timed
from benchmarks.harness.machine import cores

# eager:    nn.Module, autograd, a fused optimizer: the usual loop at its best.
# compiled: the loss (and so its gradient) through torch.compile.
MODES = ("eager", "compiled")


def settle(mode: str = "eager", modes: Sequence[str] = MODES, seed: int = 0) -> None:
    """Sets seed, threads and flushed denormals.

    Raises:
      ValueError: `mode` is none of `modes`.
    """
    if mode not in modes:
        raise ValueError(f"mode={mode!r}: must be one of {', '.join(modes)}")
    torch.manual_seed(seed)
    torch.set_num_threads(cores())
    torch.set_flush_denormal(True)


def described(how: str) -> dict[str, str]:
    """Describes a side for the record: `how` it ran, and with what."""
    return {"settings": f"{how}, {torch.get_num_threads()} threads, denormals flushed"}


def dense(widths: Sequence[int]) -> list[nn.Module]:
    """Makes linear layers of the given widths with ReLU between them."""
    return [m for k, n in pairwise(widths) for m in (nn.Linear(k, n), nn.ReLU())][:-1]


def with_one_bias(network: nn.Module) -> None:
    """Holds the second of the biases of LSTMs, which are only ever added, at 0 and untrained."""
    for name, p in network.named_parameters():
        if "bias_hh" in name:
            nn.init.zeros_(p).requires_grad_(False)


def trained(network: nn.Module) -> list[nn.Parameter]:
    """Returns the parameters that are trained."""
    return [p for p in network.parameters() if p.requires_grad]


def adam(network: nn.Module, learning_rate: float, **more: Any) -> torch.optim.Optimizer:
    """Makes the fused Adam."""
    return torch.optim.Adam(trained(network), learning_rate, fused=True, **more)


def adamw(
    network: nn.Module, learning_rate: float, betas: tuple[float, float], weight_decay: float
) -> torch.optim.Optimizer:
    """Makes the fused AdamW that decays matrices alone."""
    matrices = [p for p in network.parameters() if p.ndim >= 2]
    others = [p for p in network.parameters() if p.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, learning_rate, betas, fused=True)


def batches(data: Tensor, batch_size: int) -> Iterator[Tensor]:
    """Yields whole batches without end, in a new random order for each epoch."""
    while True:
        order = torch.randperm(len(data))
        for i in range(len(data) // batch_size):
            yield data[order[i * batch_size : (i + 1) * batch_size]]


def drawn(data: Tensor, batch_size: int) -> Tensor:
    """Returns rows drawn at random."""
    return data[torch.randint(0, len(data), (batch_size,))]


def minimizer(
    mode: str, loss: Callable[..., Tensor], optimizer: torch.optim.Optimizer, clip_norm: float = 0.0
) -> Callable[..., None]:
    """Makes a function of a batch that updates the parameters of `optimizer` in one of `MODES`."""
    params = [p for group in optimizer.param_groups for p in group["params"]]
    objective = torch.compile(loss) if mode.startswith("compiled") else loss

    def update(*batch: Tensor) -> None:
        optimizer.zero_grad()
        objective(*batch).backward()
        if clip_norm:
            nn.utils.clip_grad_norm_(params, clip_norm)
        optimizer.step()

    return update


def timed_updates(update: Callable[[], object], updates: int, mode: str, units: int = 0) -> Timed:
    """Makes a side of `updates` calls of `update` a run, which are `units` (0: as many) of its row.

    Some calls before compile and warm up.
    """

    def run() -> None:
        for _ in range(updates):
            update()

    for _ in range(3):  # compiles
        update()
    run()
    return Timed(run, units=units or updates, info=described(mode))
