"""Flow matching in PyTorch, with the network of `genjax/models/unet.py`, part by part.

Data in memory, indexed by a random permutation, no loader; fused Adam, denormals flushed.
"""

import functools
import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import adam, feed, minimizer, settle, timed_updates

# *_channels_last: convolutions in the memory format that oneDNN likes.
MODES = ("eager", "compiled", "eager_channels_last", "compiled_channels_last")


class UNet(nn.Module):
    """(B, C, H, W) and times (B,) to (B, C, H, W); see the original."""

    def __init__(
        self, image_channels: int, channels: Sequence[int], blocks: int, patch: int, features: int
    ):
        super().__init__()
        self.features = features
        self.message = nn.Sequential(
            nn.Linear(features, features), nn.SiLU(), nn.Linear(features, features), nn.SiLU()
        )
        self.unshuffle, self.shuffle = nn.PixelUnshuffle(patch), nn.PixelShuffle(patch)
        size = image_channels * patch**2
        self.stem = nn.Conv2d(size, channels[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for width, next_width in pairwise(channels):
            self.down.extend(ResBlock(width, width, features) for _ in range(blocks))
            self.down.append(nn.Conv2d(width, next_width, 2, 2))
        lowest = channels[-1]
        self.lowest = nn.ModuleList(ResBlock(lowest, lowest, features) for _ in range(2 * blocks))
        for width, next_width in pairwise(reversed(channels)):
            self.up.append(nn.ConvTranspose2d(width, next_width, 2, 2))
            self.up.extend(ResBlock(2 * next_width, next_width, features) for _ in range(blocks))
        self.norm = _norm(channels[0])
        self.head = nn.Conv2d(channels[0], size, 3, padding=1)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """Computes the velocity."""
        message = self.message(sinusoidal(time, self.features))
        x, skips = self.stem(self.unshuffle(x)), []
        for layer in self.down:
            if isinstance(layer, ResBlock):
                x = layer(x, message)
                skips.append(x)
            else:
                x = layer(x)
        for layer in self.lowest:
            x = layer(x, message)
        for layer in self.up:
            if isinstance(layer, ResBlock):
                x = layer(torch.cat([x, skips.pop()], 1), message)
            else:
                x = layer(x)
        return self.shuffle(self.head(functional.silu(self.norm(x))))


class ResBlock(nn.Module):
    """Two convolutions beside an identity, scaled and shifted between them."""

    def __init__(self, inputs: int, outputs: int, features: int):
        super().__init__()
        self.message = nn.Linear(features, 2 * outputs)
        self.first_norm, self.second_norm = _norm(inputs), _norm(outputs)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, message: Tensor) -> Tensor:
        """Computes the features of the next layer."""
        scale, shift = self.message(message)[:, :, None, None].chunk(2, 1)
        h = self.first(functional.silu(self.first_norm(x)))
        h = self.second(functional.silu(self.second_norm(h) * (1 + scale) + shift))
        return self.skip(x) + h


def _norm(channels: int) -> nn.Module:
    return nn.GroupNorm(math.gcd(8, channels), channels, eps=1e-5)


def sinusoidal(time: Tensor, features: int) -> Tensor:
    """Computes the embedding of `genjax.models.time.sinusoidal`."""
    ends = math.log(1000.0), math.log(0.1)
    exponents = torch.linspace(*ends, features // 2, device=time.device)
    angles = time[:, None] * exponents.exp()
    return torch.cat([angles.cos(), angles.sin()], -1)


def loss(network: nn.Module, x: Tensor, noise: Tensor, time: Tensor) -> Tensor:
    """Computes the mean squared error of the velocity between noise and data `x`, in [-1, 1]."""
    velocity = x - noise
    points = noise + time[:, None, None, None] * velocity
    return functional.mse_loss(network(points, time), velocity)


def unet(
    mode: str,
    steps: int,
    *,
    height: int,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
    channels: Sequence[int],
    blocks: int,
    patch: int,
    features: int,
    precision: str = "float32",
    device: str = "cpu",
) -> Timed:
    """Sets up the row `flow_matching`: `steps` updates a run."""
    settle(mode, MODES, device=device)
    with torch.device(device):
        network = UNet(1, channels, blocks, patch, features)
        data = torch.rand(num_examples, 1, height, height)
    if "channels_last" in mode:
        network, data = (a.to(memory_format=torch.channels_last) for a in (network, data))
    rows, optimizer = feed(data, batch_size, mode), adam(network, learning_rate)
    objective = functools.partial(loss, network)
    minimize = minimizer(mode, objective, optimizer, precision=precision)

    def update() -> None:
        x = 2 * rows() - 1
        minimize(x, torch.randn_like(x), torch.rand(batch_size, device=device))

    return timed_updates(update, steps, mode, device=device)
