"""Convolutional networks between images and vectors, built of halvings and doublings."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.models.conv import Conv, ConvTranspose, layout
from genjax.models.dense import ACTIVATIONS, initial_weights
from genjax.models.features import asked, offer
from genjax.models.minibatch import MinibatchStddev
from genjax.models.norms import Norm
from genjax.ops.conv import to_batch_first, to_batch_last


class ConvEncoder(nn.Module):
    """4x4 convolutions of stride 2, each halving height and width, then a linear layer.

    The DCGAN discriminator's plan (Radford et al. 2015).

    Attributes:
      channels: of each halving.
      out_shape: shape of one output, `()` for a scalar.
      activation: a key of `ACTIVATIONS`, after each convolution.
      norm: `none`, `batch` or `layer`; not on the first convolution, as in DCGAN.
      lowering: of the convolutions, see `genjax.ops.conv`.
      dtype: of compute; parameters are float32.
      minibatch_stddev: puts a `MinibatchStddev` in front of the linear layer.
      init_variance: of initial weights, see `genjax.models.dense.initial_weights`.
    """

    channels: Sequence[int]
    out_shape: tuple[int, ...] = ()
    activation: str = "leaky_relu"
    norm: str = "none"
    lowering: str = "auto"
    dtype: Any = jnp.float32
    minibatch_stddev: bool = False
    init_variance: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps (B, H, W, C) to (B, *out_shape)."""
        initial = initial_weights(self.init_variance)
        last, options = layout(self.lowering, self.dtype, kernel_init=initial)
        x = to_batch_last(x.astype(self.dtype)) if last else x.astype(self.dtype)
        for i, width in enumerate(self.channels):
            x = Conv(width, (4, 4), (2, 2), **options)(x)
            norm = self.norm if i else "none"
            x = Norm(norm, self.dtype, 0 if last else -1)(x, train=train)
            x = ACTIVATIONS[self.activation](x)
            if asked(self):
                offer(self, to_batch_first(x) if last else x)
        x = to_batch_first(x) if last else x
        x = x.reshape(x.shape[0], -1)
        if self.minibatch_stddev:
            x = MinibatchStddev()(x, train=train)
        y = nn.Dense(math.prod(self.out_shape), dtype=self.dtype, kernel_init=initial)(x)
        return y.reshape(x.shape[0], *self.out_shape)


class ConvDecoder(nn.Module):
    """A linear layer to a small image, then 4x4 transposed convolutions of stride 2.

    The DCGAN generator's plan (Radford et al. 2015); `channels` mirrors those of the encoder.

    Attributes:
      channels: from the largest image to the smallest, which is the first; as for `ConvEncoder`.
      out_shape: (height, width, channels) of one output; height and width are divisible by
        `2 ** len(channels)`.
      activation, norm, lowering, dtype, init_variance: as for `ConvEncoder`; norm on all but
        the output.
    """

    channels: Sequence[int]
    out_shape: tuple[int, ...]
    activation: str = "relu"
    norm: str = "none"
    lowering: str = "auto"
    dtype: Any = jnp.float32
    init_variance: float = 1.0

    @nn.compact
    def __call__(self, z: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps (B, latent) to (B, *out_shape)."""
        height, width, out_channels = self.out_shape
        factor = 2 ** len(self.channels)
        widths = list(reversed(self.channels))
        size, initial = height // factor * (width // factor), initial_weights(self.init_variance)
        x = nn.Dense(size * widths[0], dtype=self.dtype, kernel_init=initial)(z)
        x = x.reshape(-1, height // factor, width // factor, widths[0])
        last, options = layout(self.lowering, self.dtype, kernel_init=initial)
        x = to_batch_last(x) if last else x
        for features in [*widths[1:], out_channels]:
            x = Norm(self.norm, self.dtype, 0 if last else -1)(x, train=train)
            x = ACTIVATIONS[self.activation](x)
            x = ConvTranspose(features, (4, 4), (2, 2), **options)(x)
        return to_batch_first(x) if last else x
