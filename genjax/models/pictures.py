"""Pictures to vectors, for classifiers: the pixels themselves, convolutions, a residual network.

Each module maps images (B, H, W, C) to vectors (B, D).
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from genjax.models.conv import Conv, layout
from genjax.models.dense import ACTIVATIONS, Dropout
from genjax.models.features import asked, offer
from genjax.models.norms import GroupNorm, Norm
from genjax.ops.conv import to_batch_first, to_batch_last

NORMS = ("none", "layer", "group")
_HE = nn.initializers.he_normal()


def tiled(h: jax.Array, number: int) -> jax.Array:
    """Averages pictures (B, H, W, C) over `number` tiles a side, (B, h, w, C).

    Tile i of n covers the pixels from `floor(i H / n)` to `ceil((i + 1) H / n)`, so that tiles
    overlap where n does not divide H; a side of at most n pixels stays as it is.
    """
    across, down = (jnp.asarray(_means(size, number), h.dtype) for size in h.shape[1:3])
    return jnp.einsum("ih,bhwc,jw->bijc", across, h, down, precision="highest")


def _means(size: int, number: int) -> np.ndarray:
    """Makes the matrix (tiles, size) of the means that `tiled` takes along a side."""
    n = min(size, number)
    first, last = np.arange(n) * size // n, -(-np.arange(1, n + 1) * size // n)
    place = np.arange(size)
    inside = (place >= first[:, None]) & (place < last[:, None])
    return np.asarray(inside / inside.sum(1, keepdims=True))


class Pixels(nn.Module):
    """No network: the elements of an example of any shape, as a vector, in `dtype`."""

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps (B, …) to (B, D)."""
        return x.reshape(len(x), -1).astype(self.dtype)


class Convolutions(nn.Module):
    """3x3 convolutions, each followed by the maximum of 2x2 pixels (LeCun et al. 1998, LeNet-5).

    Attributes:
      channels: of each convolution, after which height and width are halved.
      activation: a key of `ACTIVATIONS`.
      norm: of `NORMS`, between a convolution and its activation.
      dropout: rate, of the vector, in training.
      lowering: of the convolutions, see `genjax.ops.conv`.
      dtype: of compute; parameters are float32.
    """

    channels: Sequence[int]
    activation: str = "relu"
    norm: str = "none"
    dropout: float = 0.0
    lowering: str = "auto"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps (B, H, W, C) to (B, D); H and W are divisible by 2^len(channels)."""
        last, options = layout(self.lowering, self.dtype, kernel_init=_HE)
        x = to_batch_last(x) if last else x
        for width in self.channels:
            x = _normalized(Conv(width, **options)(x), self.norm, last, self.dtype)
            x = ACTIVATIONS[self.activation](_largest_of_four(x, last))
            _offer(self, x, last)
        x = to_batch_first(x) if last else x
        return Dropout(self.dropout)(x.reshape(len(x), -1), train=train)


class ResNet(nn.Module):
    """A residual network: stages of two 3x3 convolutions beside an identity, then a mean of pixels.

    Norms and activations stand in front of the convolutions (He et al. 2016, Identity mappings in
    deep residual networks, figure 4e); the plan of stages is that for CIFAR-10 (He et al. 2016,
    Deep residual learning, section 4.2). Its norms see one example alone, so that training and use
    compute the same.

    Attributes:
      channels: of each stage; from the second on a stage begins by halving height and width.
      blocks: of each stage.
      activation, norm, dropout, lowering, dtype: as of `Convolutions`.
    """

    channels: Sequence[int]
    blocks: int = 1
    activation: str = "relu"
    norm: str = "group"
    dropout: float = 0.0
    lowering: str = "auto"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps (B, H, W, C) to (B, channels[-1]); H and W are divisible by 2^(stages - 1)."""
        last, options = layout(self.lowering, self.dtype, kernel_init=_HE)
        activation = ACTIVATIONS[self.activation]
        x = Conv(self.channels[0], **options)(to_batch_last(x) if last else x)
        for stage, width in enumerate(self.channels):
            for block in range(self.blocks):
                strides = (2, 2) if stage and not block else (1, 1)
                h = activation(_normalized(x, self.norm, last, self.dtype))
                if x.shape[0 if last else -1] != width or strides != (1, 1):
                    x = Conv(width, strides, strides, **options)(h)
                h = Conv(width, strides=strides, **options)(h)
                h = activation(_normalized(h, self.norm, last, self.dtype))
                x = x + Conv(width, **options)(h)
                _offer(self, x, last)
        x = activation(_normalized(x, self.norm, last, self.dtype))
        x = x.mean((1, 2)).T if last else x.mean((1, 2))
        return Dropout(self.dropout)(x, train=train)


class Halvings(nn.Module):
    """4x4 convolutions of stride 2, a 3x3 one, a hidden layer, logits; ReLU between them.

    For pictures of any size: of those above 32 pixels the first convolution takes larger steps, so
    that the others see about as many places as of one of 32, and cost as much.

    Attributes:
      channels: of each halving.
      num_classes: outputs.
      hidden: width of the hidden layer, whose output is offered last.
      lowering, dtype: as of `Convolutions`.
    """

    channels: Sequence[int]
    num_classes: int
    hidden: int = 256
    lowering: str = "auto"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps (B, H, W, C) in [0, 1] to logits (B, num_classes)."""
        last, options = layout(self.lowering, self.dtype, kernel_init=_HE)
        first = max(2, round(max(x.shape[1:3]) / 16))
        steps = [first, *[2] * (len(self.channels) - 1), 1]
        x = to_batch_last(2 * x - 1) if last else 2 * x - 1
        for step, width in zip(steps, [*self.channels, self.channels[-1]], strict=True):
            size = max(3, 2 * step)
            x = nn.relu(Conv(width, (size, size), (step, step), **options)(x))
        x = to_batch_first(x) if last else x
        x = nn.Dense(self.hidden, kernel_init=nn.initializers.he_normal())(x.reshape(len(x), -1))
        x = nn.relu(x)
        offer(self, x)
        return nn.Dense(self.num_classes)(x)


def _normalized(x: jax.Array, norm: str, last: bool, dtype: Any) -> jax.Array:
    axis = 0 if last else -1
    if norm == "group":
        return GroupNorm(axis, dtype)(x)
    return Norm(norm, dtype, axis)(x, train=False)


def _largest_of_four(x: jax.Array, last: bool) -> jax.Array:
    """Takes the maximum of each tile of 2x2 pixels."""
    if last:
        c, h, w, b = x.shape
        return x.reshape(c, h // 2, 2, w // 2, 2, b).max((2, 4))
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).max((2, 4))


def _offer(network: nn.Module, x: jax.Array, last: bool) -> None:
    if asked(network):
        offer(network, to_batch_first(x) if last else x)
