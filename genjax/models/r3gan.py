"""R3GAN's generator and critic: residual blocks of grouped convolutions without normalization.

The plan of Huang et al. 2024 (The GAN is dead; long live the GAN!), section 4 and appendix, for
pictures of any size: two blocks at each size of the picture, each a 1x1 convolution to twice the
channels, a 3x3 convolution in groups and a 1x1 convolution back, which begins at zero (Zhang et al.
2019, Fixup); pictures double and halve between them by a low-pass filter.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core import checks
from genjax.models.conv import Conv, layout
from genjax.models.critic_head import CriticHead
from genjax.models.dense import initial_weights
from genjax.models.features import asked, offer
from genjax.models.resnet import join_class
from genjax.ops.conv import to_batch_first, to_batch_last
from genjax.ops.resample import blurred_doubling, blurred_halving

_BLOCKS, _WIDER = 2, 2  # at each size of the picture; channels inside of a block
_SLOPE = 0.2  # of the leaky ReLU
_GAIN = 2 / (1 + _SLOPE**2)


class R3Generator(nn.Module):
    """A learned small picture that latents scale channel by channel, blocks, doublings.

    Attributes:
      channels: behind each doubling, from the largest picture to the smallest, whose channels are
        those of the small picture too.
      out_shape: (height, width, channels); divisible by `2 ** len(channels)`.
      group_size: channels that a 3x3 convolution joins, at most; it divides twice the channels.
      num_classes: a vector of the class joins the latents. 0: no labels.
      lowering: of the convolutions, see `genjax.ops.conv`.
      dtype: of compute; parameters are float32.
    """

    channels: Sequence[int]
    out_shape: tuple[int, ...]
    group_size: int = 16
    num_classes: int = 0
    lowering: str = "auto"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, z: jax.Array, label_B: jax.Array | None = None, *, train: bool = False
    ) -> jax.Array:
        """Maps (B, latent) to (B, *out_shape)."""
        height, width, out_channels = self.out_shape
        factor, widths = 2 ** len(self.channels), list(reversed(self.channels))
        last, options = layout(self.lowering, self.dtype)
        if self.num_classes:
            checks.integers("B", {"B": (len(z), "z")}, label_B=label_B)
            z = join_class(z, label_B, self.num_classes)
        shape = (height // factor, width // factor, widths[0])
        basis = self.param("basis", nn.initializers.normal(1.0), shape, jnp.float32)
        linear = initial_weights(1.0)
        scale = nn.Dense(widths[0], use_bias=False, kernel_init=linear, dtype=self.dtype)(z)
        x = scale[:, None, None] * basis.astype(self.dtype)
        x = to_batch_last(x) if last else x
        block = _block(self.group_size, len(widths) + 1, options)
        x = block(block(x))
        for features in widths:
            x = blurred_doubling(_joined(x, features, options))
            x = block(block(x))
        x = Conv(out_channels, (1, 1), use_bias=False, kernel_init=linear, **options)(x)
        return to_batch_first(x) if last else x


class R3Critic(nn.Module):
    """The generator's mirror: blocks, halvings, a weighted sum over pixels for each channel.

    Attributes:
      channels: at each picture but the smallest, which has the channels of the last.
      condition, num_classes: of the `CriticHead`.
      group_size, lowering, dtype: as for the generator.
    """

    channels: Sequence[int]
    group_size: int = 16
    condition: str = "none"
    num_classes: int = 0
    lowering: str = "auto"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, label_B: jax.Array | None = None, *, train: bool = False
    ) -> Any:
        """Maps (B, H, W, C) to scores (B,); with an auxiliary classifier also to logits."""
        last, options = layout(self.lowering, self.dtype)
        x = to_batch_last(x.astype(self.dtype)) if last else x.astype(self.dtype)
        linear = initial_weights(1.0)
        x = Conv(self.channels[0], (1, 1), use_bias=False, kernel_init=linear, **options)(x)
        block = _block(self.group_size, len(self.channels) + 1, options)
        for features in [*self.channels[1:], self.channels[-1]]:
            x = block(block(x))
            x = _joined(blurred_halving(x), features, options)
            if asked(self):
                offer(self, to_batch_first(x) if last else x)
        x = block(block(x))
        x = to_batch_first(x) if last else x
        mean = nn.initializers.normal((x.shape[1] * x.shape[2]) ** -0.5)
        basis = self.param("basis", mean, x.shape[1:], jnp.float32)
        features_BxF = jnp.einsum("bhwc,hwc->bc", x, basis.astype(self.dtype))
        offer(self, features_BxF)
        return CriticHead(self.condition, self.num_classes, self.dtype)(features_BxF, label_B)


def _block(group_size: int, sizes: int, options: Any) -> Any:
    """Makes the residual block of a network of so many sizes of pictures."""
    # Fixup's rule: with m = 3 layers in a block, L^(-1 / (2 m - 2)) times the standard deviation.
    initial = initial_weights(_GAIN * (_BLOCKS * sizes) ** -0.5)

    def block(x: jax.Array) -> jax.Array:
        features = x.shape[0 if options["batch_last"] else -1]
        wide = _WIDER * features
        size = next(s for s in range(min(group_size, wide), 0, -1) if wide % s == 0)
        h = nn.leaky_relu(Conv(wide, (1, 1), kernel_init=initial, **options)(x), _SLOPE)
        h = Conv(wide, groups=wide // size, kernel_init=initial, **options)(h)
        h = nn.leaky_relu(h, _SLOPE)
        zeros = nn.initializers.zeros_init()
        return x + Conv(features, (1, 1), use_bias=False, kernel_init=zeros, **options)(h)

    return block


def _joined(x: jax.Array, features: int, options: Any) -> jax.Array:
    """Changes the number of channels, where it differs."""
    if x.shape[0 if options["batch_last"] else -1] == features:
        return x
    linear = initial_weights(1.0)
    return Conv(features, (1, 1), use_bias=False, kernel_init=linear, **options)(x)
