"""A residual U-Net that depends on a time, from images to images of the same shape.

The plan of Ho et al. 2020 (Denoising diffusion probabilistic models), appendix B, made small:
residual blocks at halving resolutions down and up again, with skips across.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core import checks
from genjax.models.conv import Conv, ConvTranspose
from genjax.models.features import asked, offer
from genjax.models.norms import GroupNorm
from genjax.models.time import Condition
from genjax.ops.conv import to_batch_first, to_batch_last, wants_batch_last


class UNet(nn.Module):
    """A network from images, times and perhaps classes to velocities or noises (B, H, W, C).

    Attributes:
      channels: at each resolution, from the largest image to the smallest, which halve.
      blocks: residual blocks at each resolution on the way down and again on the way up, where
        outputs of the way down join their inputs; at the lowest resolution twice as many in a row.
      patch: pixels of patch x patch tiles become channels before the largest resolution, and pixels
        again after it.
      attention: self-attention between the pixels at the lowest resolution, halfway.
      features: of the `Condition`.
      num_classes: see `Condition`.
      lowering: of the convolutions, see `genjax.ops.conv`.
      dtype: of compute; parameters are float32.
    """

    channels: Sequence[int]
    blocks: int = 1
    patch: int = 1
    attention: bool = False
    features: int = 64
    num_classes: int = 0
    lowering: str = "auto"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, time_B: jax.Array, label_B: jax.Array | None = None
    ) -> jax.Array:
        """Maps (B, H, W, C) and (B,) to (B, H, W, C)."""
        checks.floats("B", checks.floats("B H W C", x=x), time_B=time_B)
        last = wants_batch_last(self.lowering)
        options: Any = {"lowering": self.lowering, "batch_last": last, "dtype": self.dtype}
        halving: Any = {"kernel_size": (2, 2), "strides": (2, 2), **options}
        message = Condition(self.features, self.num_classes, self.dtype)(time_B, label_B)
        features_axis = 0 if last else -1

        h = _to_patches(x.astype(self.dtype), self.patch)
        out_channels = h.shape[-1]
        h = Conv(self.channels[0], **options)(to_batch_last(h) if last else h)
        *upper, lowest = self.channels
        skips = []
        for width, next_width in itertools.pairwise(self.channels):
            for _ in range(self.blocks):
                h = self._block(width, options, h, message)
                skips.append(h)
            h = Conv(next_width, **halving)(h)
        for _ in range(self.blocks):
            h = self._block(lowest, options, h, message)
        if self.attention:
            h = Attention(options)(h)
        for _ in range(self.blocks):
            h = self._block(lowest, options, h, message)
        for width in reversed(upper):
            h = ConvTranspose(width, **halving)(h)
            for _ in range(self.blocks):
                h = jnp.concatenate([h, skips.pop()], features_axis)
                h = self._block(width, options, h, message)
        h = nn.silu(GroupNorm(features_axis, self.dtype)(h))
        h = Conv(out_channels, kernel_init=nn.initializers.zeros_init(), **options)(h)
        return _from_patches(to_batch_first(h) if last else h, self.patch)

    def _block(self, width: int, options: Any, h: jax.Array, message_BxF: jax.Array) -> jax.Array:
        """Computes the next block, and offers its output (B, H, W, width)."""
        h = ResBlock(width, options)(h, message_BxF)
        if asked(self):
            offer(self, to_batch_first(h) if options["batch_last"] else h)
        return h


class ResBlock(nn.Module):
    """Two 3x3 convolutions added to an identity; the condition scales and shifts between them.

    Attributes:
      features: output channels.
      options: of every `Conv`: lowering, layout and dtype.
    """

    features: int
    options: Any

    @nn.compact
    def __call__(self, x: jax.Array, message_BxF: jax.Array) -> jax.Array:
        """Maps (B, H, W, C) to (B, H, W, features), or batch last."""
        last, dtype = self.options["batch_last"], self.options["dtype"]
        features_axis = 0 if last else -1
        scale, shift = jnp.split(nn.Dense(2 * self.features, dtype=dtype)(message_BxF), 2, -1)
        if last:
            scale, shift = (s.T[:, None, None] for s in (scale, shift))
        else:
            scale, shift = (s[:, None, None] for s in (scale, shift))
        h = nn.silu(GroupNorm(features_axis, dtype)(x))
        h = Conv(self.features, **self.options)(h)
        h = nn.silu(GroupNorm(features_axis, dtype)(h) * (1.0 + scale) + shift)
        # The block begins as the identity.
        h = Conv(self.features, kernel_init=nn.initializers.zeros_init(), **self.options)(h)
        if x.shape[features_axis] != self.features:
            x = Conv(self.features, (1, 1), **self.options)(x)
        return x + h


class Attention(nn.Module):
    """Self-attention of one head between all pixels, added to an identity."""

    options: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps (B, H, W, C), or batch last, to the same shape."""
        last = self.options["batch_last"]
        features_axis = 0 if last else -1
        channels = x.shape[features_axis]
        h = GroupNorm(features_axis, self.options["dtype"])(x)
        h = Conv(3 * channels, (1, 1), **self.options)(h)
        h = to_batch_first(h) if last else h
        query, key, value = jnp.split(h.reshape(h.shape[0], -1, 1, 3 * channels), 3, -1)
        mixed = jax.nn.dot_product_attention(query, key, value, implementation="xla")
        mixed = mixed.reshape(*h.shape[:3], channels)
        zeros = nn.initializers.zeros_init()
        mixed = to_batch_last(mixed) if last else mixed
        return x + Conv(channels, (1, 1), kernel_init=zeros, **self.options)(mixed)


def _to_patches(x: jax.Array, patch: int) -> jax.Array:
    """Maps (B, H, W, C) to (B, H / patch, W / patch, patch * patch * C)."""
    b, h, w, c = x.shape
    x = x.reshape(b, h // patch, patch, w // patch, patch, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, h // patch, w // patch, -1)


def _from_patches(x: jax.Array, patch: int) -> jax.Array:
    """The inverse of `_to_patches`."""
    b, h, w, _ = x.shape
    x = x.reshape(b, h, w, patch, patch, -1).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, h * patch, w * patch, -1)
