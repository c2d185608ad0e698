"""Classifiers of pictures in PyTorch: two convolutions, their features, a student with a teacher.

Data are in memory, indexed by a random permutation, without a loader.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import (
    adam,
    batches,
    dense,
    described,
    minimizer,
    settle,
    timed_updates,
)

MODES = ("eager", "compiled", "eager_channels_last", "compiled_channels_last")


class Convolutional(nn.Module):
    """3x3 convolutions, each followed by ReLU and the maximum of 2x2 pixels; a hidden layer."""

    def __init__(
        self,
        channels: Sequence[int],
        hidden: Sequence[int],
        height: int,
        classes: int,
        dropout: float,
    ):
        super().__init__()
        widths = [1, *channels]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(k, n, 3, padding=1) for k, n in zip(widths, channels)
        )
        size = channels[-1] * (height // 2 ** len(channels)) ** 2
        (width,) = hidden
        self.hidden, self.out = nn.Linear(size, width), nn.Linear(width, classes)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, 1, H, W) to (B, classes)."""
        logits: Tensor = self.out(self.features(x))
        return logits

    def features(self, x: Tensor) -> Tensor:
        """Computes the hidden layer, (B, hidden)."""
        for convolution in self.convolutions:
            x = functional.max_pool2d(functional.relu(convolution(x)), 2)
        x = functional.dropout(x.flatten(1), self.dropout, self.training)
        return functional.dropout(functional.relu(self.hidden(x)), self.dropout, self.training)


def conv(
    mode: str,
    iterations: int,
    *,
    channels: Sequence[int],
    hidden: Sequence[int],
    height: int,
    classes: int,
    dropout: float,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
) -> Timed:
    """Sets up `classifier_torch`: `iterations` updates a run."""
    settle(mode, MODES)
    network: Any = Convolutional(channels, hidden, height, classes, dropout)
    x = torch.rand(num_examples, 1, height, height)
    if mode.endswith("channels_last"):
        network = network.to(memory_format=torch.channels_last)
    label = torch.randint(0, classes, (num_examples,))
    update = minimizer(mode, _loss(network), adam(network, learning_rate))
    order = batches(torch.arange(num_examples), batch_size)

    def step() -> None:
        rows = next(order)
        seen = x[rows]
        if mode.endswith("channels_last"):
            seen = seen.contiguous(memory_format=torch.channels_last)
        update(seen, label[rows])

    return timed_updates(step, iterations, mode)


def features(
    mode: str,
    iterations: int,
    *,
    channels: Sequence[int],
    hidden: Sequence[int],
    height: int,
    classes: int,
    num_examples: int,
    batch_size: int,
) -> Timed:
    """Sets up `features_torch`: `iterations` times the features of all pictures a run."""
    settle(mode, MODES)
    network: Any = Convolutional(channels, hidden, height, classes, 0.0).eval()
    x = torch.rand(num_examples, 1, height, height)
    if mode.endswith("channels_last"):
        network = network.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    compute = extractor(network)
    if mode.startswith("compiled"):
        compute = torch.compile(compute)

    @torch.inference_mode()
    def run() -> None:
        for _ in range(iterations):
            for part in x.split(batch_size):
                compute(part)

    run()
    return Timed(run, units=iterations, info=described(mode))


def extractor(network: Convolutional) -> Callable[[Tensor], Tensor]:
    """Makes the function from pictures in [0, 1] to the hidden layer."""
    return lambda x: network.features(2 * x - 1)


def _loss(network: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda x, label: functional.cross_entropy(network(2 * x - 1), label)


def distillation(
    mode: str,
    iterations: int,
    *,
    size: int,
    teacher: Sequence[int],
    hidden: Sequence[int],
    classes: int,
    temperature: float,
    weight: float,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
) -> Timed:
    """Sets up `distillation_torch`: `iterations` updates a run, the teacher asked in each."""
    settle(mode, MODES)
    large = nn.Sequential(*dense([size, *teacher, classes])).requires_grad_(requires_grad=False)
    small = nn.Sequential(*dense([size, *hidden, classes]))
    x, label = torch.rand(num_examples, size), torch.randint(0, classes, (num_examples,))
    objective = distilled(large, small, temperature, weight)
    update = minimizer(mode, objective, adam(small, learning_rate))
    order = batches(torch.arange(num_examples), batch_size)

    def step() -> None:
        rows = next(order)
        update(x[rows], label[rows])

    return timed_updates(step, iterations, mode)


def distilled(
    large: nn.Module, small: nn.Module, temperature: float, weight: float
) -> Callable[[Tensor, Tensor], Tensor]:
    """Makes the loss `(1 - w) cross-entropy + w T^2 KL` of a batch."""

    def loss(x: Tensor, label: Tensor) -> Tensor:
        x = 2 * x - 1
        with torch.no_grad():
            target = functional.log_softmax(large(x) / temperature, 1)
        logits = small(x)
        soft = functional.kl_div(
            functional.log_softmax(logits / temperature, 1),
            target,
            reduction="batchmean",
            log_target=True,
        )
        hard = functional.cross_entropy(logits, label)
        return (1 - weight) * hard + weight * temperature**2 * soft

    return loss
