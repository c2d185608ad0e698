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
# What a mode may end with on a GPU.
# *_reduce_overhead: torch.compile(mode="reduce-overhead"), which launches CUDA graphs.
# *_graph:           all kernels of an update, the optimizer's too, as one CUDA graph.
ON_GPU = ("_reduce_overhead", "_graph")


def settle(
    mode: str = "eager", modes: Sequence[str] = MODES, seed: int = 0, device: str = "cpu"
) -> None:
    """Sets seed, threads and flushed denormals; on a GPU, TF32 and the search for convolutions.

    Raises:
      ValueError: `mode` is none of `modes`, nor one of them with an ending of `ON_GPU`.
    """
    known = [*modes, *(m + ending for m in modes for ending in ON_GPU)]
    if mode not in known:
        raise ValueError(f"mode={mode!r}: must be one of {', '.join(known)}")
    torch.manual_seed(seed)
    torch.set_num_threads(cores())
    torch.set_flush_denormal(True)
    if device != "cpu":
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True


def described(how: str, device: str = "cpu") -> dict[str, str]:
    """Describes a side for the record: `how` it ran, and with what."""
    if device != "cpu":
        return {"settings": f"{how}, TF32", "device": torch.cuda.get_device_name(device)}
    return {"settings": f"{how}, {torch.get_num_threads()} threads, denormals flushed"}


def compiled(mode: str, f: Any) -> Any:
    """Returns `f`, through the compiler in the modes that say so."""
    if not mode.startswith("compiled"):
        return f
    return torch.compile(f, mode="reduce-overhead" if mode.endswith("_reduce_overhead") else None)


def autocast(f: Callable[..., Any], device: str, precision: str) -> Callable[..., Any]:
    """Returns `f`, with its products in bfloat16 if `precision` is that."""
    if precision == "float32":
        return f

    def cast(*arguments: Any) -> Any:
        with torch.autocast(device, getattr(torch, precision)):
            return f(*arguments)

    return cast


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
    return torch.optim.Adam(trained(network), learning_rate, **_fused(network), **more)


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
    return torch.optim.AdamW(groups, learning_rate, betas, **_fused(network))


def _fused(network: nn.Module) -> dict[str, Any]:
    """Returns options of an optimizer; on a GPU its step can be part of a CUDA graph."""
    return {"fused": True, "capturable": next(network.parameters()).is_cuda}


def batches(data: Tensor, batch_size: int) -> Iterator[Tensor]:
    """Yields whole batches without end, in a new random order for each epoch."""
    while True:
        order = torch.randperm(len(data), device=data.device)
        for i in range(len(data) // batch_size):
            yield data[order[i * batch_size : (i + 1) * batch_size]]


def drawn(data: Tensor, batch_size: int) -> Tensor:
    """Returns rows drawn at random."""
    return data[torch.randint(0, len(data), (batch_size,), device=data.device)]


def feed(data: Tensor, batch_size: int, mode: str) -> Callable[[], Tensor]:
    """Returns a function that gives the next batch.

    In a CUDA graph rows are drawn at random, as it could not count through an order.
    """
    if mode.endswith("_graph"):
        return lambda: drawn(data, batch_size)
    rows = batches(data, batch_size)
    return lambda: next(rows)


def minimizer(
    mode: str,
    loss: Callable[..., Tensor],
    optimizer: torch.optim.Optimizer,
    clip_norm: float = 0.0,
    *,
    precision: str = "float32",
) -> Callable[..., None]:
    """Makes a function of a batch that updates the parameters of `optimizer` in one of `MODES`."""
    params = [p for group in optimizer.param_groups for p in group["params"]]
    objective = compiled(mode, autocast(loss, params[0].device.type, precision))

    def update(*batch: Tensor) -> None:
        optimizer.zero_grad()
        objective(*batch).backward()
        if clip_norm:
            nn.utils.clip_grad_norm_(params, clip_norm)
        optimizer.step()

    return update


def timed_updates(
    update: Callable[[], object], updates: int, mode: str, units: int = 0, device: str = "cpu"
) -> Timed:
    """Makes a side of `updates` calls of `update` a run, which are `units` (0: as many) of its row.

    Some calls before compile and warm up. On a GPU its result is `peak_bytes` of memory.
    """

    def run() -> dict[str, int] | None:
        for _ in range(updates):
            update()
        return waited_for(device)

    for _ in range(3):  # compiles
        update()
    if device != "cpu" and mode.endswith("_graph"):
        update = captured(update)
    run()
    return Timed(run, units=units or updates, info=described(mode, device))


def waited_for(device: str) -> dict[str, int] | None:
    """Waits for a GPU; returns the `peak_bytes` of its memory. None: it is a CPU."""
    if device == "cpu":
        return None
    torch.cuda.synchronize()
    return {"peak_bytes": torch.cuda.max_memory_allocated()}


def captured(update: Callable[[], object]) -> Callable[[], object]:
    """Records the kernels of an update; returns what launches them as one CUDA graph."""
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):  # warmed up where it is recorded, as PyTorch asks for
        for _ in range(3):
            update()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        update()
    return graph.replay
