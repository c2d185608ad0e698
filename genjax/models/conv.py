"""Convolutions with a choice of lowering; parameters and results are those of Flax's own."""

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.ops.conv import Padding, convolve, wants_batch_last
from genjax.ops.resample import pooled_kernel, repeated_kernel


class Conv(nn.Module):
    """2-D convolution: `flax.linen.Conv` with a choice of lowering.

    Attributes:
      features: output channels.
      kernel_size, strides: (height, width).
      padding: `"SAME"`, `"VALID"` or ((top, bottom), (left, right)).
      use_bias: adds a bias per channel.
      lowering: see `genjax.ops.conv`.
      batch_last: input and output are (C, H, W, B); the parameters are the same.
      dtype: of compute; parameters are float32.
      kernel_init: initializer of the (height, width, in / groups, out) kernel.
      groups: of channels that do not see each other.
    """

    features: int
    kernel_size: Sequence[int] = (3, 3)
    strides: Sequence[int] = (1, 1)
    padding: Padding = "SAME"
    use_bias: bool = True
    lowering: str = "auto"
    batch_last: bool = False
    dtype: Any = jnp.float32
    kernel_init: Any = nn.initializers.lecun_normal()
    groups: int = 1
    transpose: ClassVar[bool] = False

    def effective(self, kernel: jax.Array) -> jax.Array:
        """Computes the kernel that is applied from the one that is learned."""
        return kernel

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps (B, H, W, C) to (B, H', W', features)."""
        in_features = x.shape[0 if self.batch_last else -1]
        shape = (*self.kernel_size, in_features // self.groups, self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        y = convolve(
            x.astype(self.dtype),
            self.effective(kernel).astype(self.dtype),
            self.strides,
            self.padding,
            transpose=self.transpose,
            groups=self.groups,
            lowering=self.lowering,
            batch_last=self.batch_last,
        )
        if not self.use_bias:
            return y
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,), jnp.float32)
        bias = bias.astype(self.dtype)
        return y + (bias[:, None, None, None] if self.batch_last else bias)


class ConvTranspose(Conv):
    """2-D transposed convolution: `flax.linen.ConvTranspose` with a choice of lowering.

    Attributes are those of `Conv`; with padding `"SAME"`, H' = H * stride.
    """

    transpose: ClassVar[bool] = True


class ConvPool(Conv):
    """A 3x3 convolution, then means of 2x2 pixels, as one convolution of stride 2."""

    strides: Sequence[int] = (2, 2)

    def effective(self, kernel: jax.Array) -> jax.Array:
        """See `Conv`."""
        return pooled_kernel(kernel)


class RepeatConv(ConvTranspose):
    """A doubling to nearest neighbors, then a 3x3 convolution, as one transposed convolution."""

    strides: Sequence[int] = (2, 2)

    def effective(self, kernel: jax.Array) -> jax.Array:
        """See `Conv`."""
        return repeated_kernel(kernel)


def layout(lowering: str, dtype: Any, **options: Any) -> tuple[bool, dict[str, Any]]:
    """Tells whether convolutions keep the batch last, and returns all their options."""
    last = wants_batch_last(lowering)
    return last, {"lowering": lowering, "batch_last": last, "dtype": dtype} | options
