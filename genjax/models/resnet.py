"""The residual generator and critic of WGAN-GP.

The plan of Gulrajani et al. 2017 (Improved training of Wasserstein GANs), appendix F, for pictures
of any size: residual blocks of two 3x3 convolutions, each with its activation in front, which
double the picture in the generator and halve it in the critic. Doubling, or the mean of halving,
and the convolution beside it are one convolution of the same result (`genjax.ops.resample`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core import checks
from genjax.models.attention import PixelAttention
from genjax.models.conv import Conv, ConvPool, RepeatConv, layout
from genjax.models.critic_head import CriticHead
from genjax.models.dense import ACTIVATIONS, initial_weights
from genjax.models.features import asked, offer
from genjax.models.minibatch import MinibatchStddev
from genjax.models.norms import ConditionalBatchNorm, GroupNorm, Norm
from genjax.ops.conv import to_batch_first, to_batch_last
from genjax.ops.resample import blurred_doubling, blurred_halving, mean_pool, repeat

RESAMPLINGS = ("mean", "blur")


class ResNetGenerator(nn.Module):
    """A linear layer to a small picture, a block for each doubling, a convolution.

    Attributes:
      channels: behind each doubling, from the largest picture to the smallest.
      out_shape: (height, width, channels) of one output; height and width are divisible by
        `2 ** len(channels)`.
      num_classes: of a conditional generator: batch norm has scales and shifts of the class, and
        without it a vector of the class joins the latents. 0: no labels.
      activation: a key of `ACTIVATIONS`.
      norm: in front of each activation, `none`, `batch` or `layer` (of the whole picture).
      resampling: `mean` doubles to nearest neighbors, `blur` linearly.
      attention: height of the picture whose pixels attend to each other; 0: none.
      lowering: of the convolutions, see `genjax.ops.conv`.
      dtype: of compute; parameters are float32.
    """

    channels: Sequence[int]
    out_shape: tuple[int, ...]
    num_classes: int = 0
    activation: str = "relu"
    norm: str = "batch"
    resampling: str = "mean"
    attention: int = 0
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
            if self.norm != "batch":
                z = join_class(z, label_B, self.num_classes)
        size = height // factor * (width // factor)
        x = nn.Dense(size * widths[0], dtype=self.dtype, kernel_init=initial_weights(1.0))(z)
        x = x.reshape(-1, height // factor, width // factor, widths[0])
        x = to_batch_last(x) if last else x

        def activate(x: jax.Array) -> jax.Array:
            if self.num_classes and label_B is not None and self.norm == "batch":
                axis = 0 if last else -1
                norm = ConditionalBatchNorm(self.num_classes, axis, self.dtype)
                x = norm(x, label_B, train=train)
            else:
                x = normalized(self.norm, x, last, self.dtype, train)
            return ACTIVATIONS[self.activation](x)

        for features in widths:
            x = _doubled(x, features, activate, self.resampling, options)
            if x.shape[1] == self.attention:
                x = PixelAttention(options)(x)
        x = Conv(out_channels, kernel_init=initial_weights(1.0), **options)(activate(x))
        return to_batch_first(x) if last else x


class ResNetCritic(nn.Module):
    """A block for each halving, blocks at the smallest picture, the mean over pixels, a score.

    Attributes:
      channels: behind each halving, from the largest picture to the smallest.
      plain_blocks: blocks that do not halve, behind the others.
      condition, num_classes: of the `CriticHead`.
      activation: a key of `ACTIVATIONS`.
      norm: in front of each activation but those of the first block, as for the generator.
      minibatch_stddev: puts a `MinibatchStddev` behind the mean.
      resampling: `mean` halves to means, `blur` behind a low-pass filter.
      attention, lowering, dtype: as for the generator.
    """

    channels: Sequence[int]
    plain_blocks: int = 2
    condition: str = "none"
    num_classes: int = 0
    activation: str = "relu"
    norm: str = "none"
    minibatch_stddev: bool = False
    resampling: str = "mean"
    attention: int = 0
    lowering: str = "auto"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, label_B: jax.Array | None = None, *, train: bool = False
    ) -> Any:
        """Maps (B, H, W, C) to scores (B,); with an auxiliary classifier also to logits."""
        last, options = layout(self.lowering, self.dtype)
        x = to_batch_last(x.astype(self.dtype)) if last else x.astype(self.dtype)

        def activate(x: jax.Array, norm: str = self.norm) -> jax.Array:
            return ACTIVATIONS[self.activation](normalized(norm, x, last, self.dtype, train))

        def show(x: jax.Array) -> None:
            if asked(self):
                offer(self, to_batch_first(x) if last else x)

        for i, features in enumerate(self.channels):
            if i:
                x = _halved(x, features, activate, activate, self.resampling, options)
            else:  # of pixels no activation is taken
                inner = lambda x: activate(x, "none")  # noqa: E731
                x = _halved(x, features, lambda x: x, inner, self.resampling, options)
            if x.shape[1] == self.attention:
                x = PixelAttention(options)(x)
            show(x)
        for _ in range(self.plain_blocks):
            h = Conv(x.shape[0 if last else -1], kernel_init=_HE, **options)(activate(x))
            x = x + Conv(h.shape[0 if last else -1], kernel_init=_HE, **options)(activate(h))
            show(x)
        pooled = activate(x).mean((1, 2))
        features_BxF = pooled.T if last else pooled
        offer(self, features_BxF)
        if self.minibatch_stddev:
            features_BxF = MinibatchStddev()(features_BxF, train=train)
        return CriticHead(self.condition, self.num_classes, self.dtype)(features_BxF, label_B)


_HE = initial_weights(2.0)  # keeps the variance through a ReLU (He et al. 2015, equation 10)
_Activate = Callable[[jax.Array], jax.Array]


def _doubled(
    x: jax.Array, features: int, activate: _Activate, resampling: str, options: Any
) -> jax.Array:
    """A residual block that doubles the picture."""
    if resampling == "mean":
        h = RepeatConv(features, kernel_init=_HE, **options)(activate(x))
    else:
        h = Conv(features, kernel_init=_HE, **options)(blurred_doubling(activate(x)))
    h = Conv(features, kernel_init=_HE, **options)(activate(h))
    short = Conv(features, (1, 1), kernel_init=initial_weights(1.0), **options)(x)
    return h + (repeat(short) if resampling == "mean" else blurred_doubling(short))


def _halved(
    x: jax.Array,
    features: int,
    first: _Activate,
    second: _Activate,
    resampling: str,
    options: Any,
) -> jax.Array:
    """A residual block that halves the picture, with what stands in front of its convolutions."""
    h = Conv(features, kernel_init=_HE, **options)(first(x))
    if resampling == "mean":
        h, short = ConvPool(features, kernel_init=_HE, **options)(second(h)), mean_pool(x)
    else:
        h = Conv(features, kernel_init=_HE, **options)(blurred_halving(second(h)))
        short = blurred_halving(x)
    return h + Conv(features, (1, 1), kernel_init=initial_weights(1.0), **options)(short)


def normalized(norm: str, x: jax.Array, last: bool, dtype: Any, train: bool) -> jax.Array:
    """Normalizes pictures; `layer` takes the statistics of a whole picture, as the paper does."""
    axis = 0 if last else -1
    if norm == "layer":
        return GroupNorm(axis, dtype, groups=1)(x)
    return Norm(norm, dtype, axis)(x, train=train)


def join_class(z_BxZ: jax.Array, label_B: jax.Array | None, num_classes: int) -> jax.Array:
    """Appends a learned vector of the class, as long as the latents, (B, 2 Z)."""
    normal = nn.initializers.normal(1.0)  # as the latents
    of_class = nn.Embed(num_classes, z_BxZ.shape[-1], embedding_init=normal)(label_B)
    return jnp.concatenate([z_BxZ, of_class], -1)
