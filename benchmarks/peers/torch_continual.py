"""Replay of kept examples in PyTorch: the usual loop, for one seed after the other."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import adam, dense, minimizer, settle, timed_updates

CLASSES, SHARE = 10, 0.5  # outputs; weight of what is new, in the second task


def replay(
    mode: str,
    steps: int,
    *,
    members: int,
    hidden: Sequence[int],
    height: int,
    num_examples: int,
    batch_size: int,
    budget: int,
    learning_rate: float,
) -> Timed:
    """Sets up the peer: `steps` updates of each member a run, in one of `torch_loop.MODES`.

    The memory is full: nothing is put into it while it is timed.
    """
    settle(mode)
    size = height**2
    x, label = torch.rand(num_examples, size), torch.arange(num_examples) % CLASSES
    kept = torch.rand(CLASSES * budget, size), torch.arange(CLASSES * budget) % CLASSES

    def member() -> Callable[[], None]:
        network = nn.Sequential(*dense([size, *hidden, CLASSES]))
        objective = Objective(network)
        update = minimizer(mode, objective, adam(network, learning_rate))

        def step() -> None:
            new = torch.randint(0, num_examples, (batch_size,))
            old = torch.randint(0, len(kept[0]), (batch_size,))
            update(x[new], label[new], kept[0][old], kept[1][old])

        return step

    each = [member() for _ in range(members)]

    def update() -> None:
        for step in each:
            step()

    return timed_updates(update, steps, mode)


class Objective(nn.Module):
    """1/N L(new) + (1 - 1/N) L(kept), both through the network at once."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, new: Tensor, new_label: Tensor, kept: Tensor, kept_label: Tensor) -> Tensor:
        """Computes the loss of batches (B, D) and their labels (B,)."""
        logits = self.network(torch.cat([new, kept]))
        new_logits, kept_logits = logits.chunk(2)
        current = functional.cross_entropy(new_logits, new_label)
        replayed = functional.cross_entropy(kept_logits, kept_label)
        return SHARE * current + (1 - SHARE) * replayed
