"""Four tasks of one network in PyTorch: classes, their groups, turned and mirrored pictures.

Data are in memory. A task is drawn for each picture of a batch, as often as any other, and then the
picture and how it is shown; the heads see all pictures, each counts for its own task alone.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import adam, drawn, minimizer, settle, timed_updates

GROUPS = (0, 1, 0, 1, 0, 2, 0, 2, 3, 2)  # of Fashion-MNIST's classes
CLASSES = {"class": len(GROUPS), "group": 4, "rotation": 4, "flip": 2}
NOT_ASKED = -1


class Shared(nn.Module):
    """4x4 convolutions of stride 2 and a linear layer, each with its ReLU, and a head a task."""

    def __init__(self, channels: Sequence[int], hidden: Sequence[int], height: int):
        super().__init__()
        widths = [1, *channels]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(k, n, 4, 2, padding=1) for k, n in zip(widths, channels)
        )
        (width,) = hidden
        size = channels[-1] * (height // 2 ** len(channels)) ** 2
        self.hidden = nn.Linear(size, width)
        self.heads = nn.ModuleList(nn.Linear(width, n) for n in CLASSES.values())

    def forward(self, x: Tensor) -> list[Tensor]:
        """Maps (B, 1, H, W) to the logits of each task."""
        for convolution in self.convolutions:
            x = functional.relu(convolution(x))
        code = functional.relu(self.hidden(x.flatten(1)))
        return [head(code) for head in self.heads]


class Objective(nn.Module):
    """The sum over the tasks of -log p(class), a mean over the batch; 0 where one is not asked."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, target: Tensor) -> Tensor:
        """Computes the loss of pictures and their classes (B, T)."""
        total = x.new_zeros(())
        for logits, asked in zip(self.network(x), target.unbind(1)):
            total = total + functional.cross_entropy(
                logits, asked, ignore_index=NOT_ASKED, reduction="sum"
            )
        return total / len(x)


class OfViews(nn.Module):
    """The objective of pictures as their tasks show them."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.objective = Objective(network)
        self.groups: Tensor
        self.register_buffer("groups", torch.tensor(GROUPS))

    def forward(self, x: Tensor, label: Tensor, task: Tensor, view: Tensor) -> Tensor:
        """Computes the loss of pictures (B, 1, H, W), a task for each, and a view in [0, 1)."""
        return self.objective(*shown(x, label, self.groups[label], task, view))


def shown(
    x: Tensor, label: Tensor, group: Tensor, task: Tensor, view: Tensor
) -> tuple[Tensor, Tensor]:
    """Turns or mirrors pictures whose task asks for it, and makes their classes (B, T)."""
    turns, side = ((n * view).long() for n in (CLASSES["rotation"], CLASSES["flip"]))
    rotation, flip = (list(CLASSES).index(name) for name in ("rotation", "flip"))
    ways = [(rotation, turns, k, torch.rot90(x, k, (-2, -1))) for k in range(1, 4)]
    ways += [(flip, side, 1, x.flip(-1))]
    for asked, way, k, turned in ways:
        x = torch.where(((task == asked) & (way == k))[:, None, None, None], turned, x)
    each = torch.stack([label, group, turns, side], 1)
    return x, torch.where(task[:, None] == torch.arange(len(CLASSES)), each, NOT_ASKED)


def views(
    mode: str,
    iterations: int,
    *,
    channels: Sequence[int],
    hidden: Sequence[int],
    height: int,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
) -> Timed:
    """Sets up `multitask_torch`: `iterations` updates a run."""
    settle(mode)
    objective = OfViews(Shared(channels, hidden, height))
    x = torch.rand(num_examples, 1, height, height)
    label = torch.randint(0, CLASSES["class"], (num_examples,))
    update = minimizer(mode, objective, adam(objective, learning_rate))
    numbers = torch.arange(num_examples)

    def step() -> None:
        rows = drawn(numbers, batch_size)
        task = torch.randint(0, len(CLASSES), (batch_size,))
        update(x[rows], label[rows], task, torch.rand(batch_size))

    return timed_updates(step, iterations, mode)
