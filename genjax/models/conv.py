"""Convolutions whose lowering suits the platform; parameters and results are Flax's own.

On GPU and TPU the stock convolution is the right one. XLA's CPU backend is slow at its gradients
and slower still at the gradient of a gradient penalty, where the same sums written as one matrix
product run at the full rate of the machine. So the lowering is chosen once, when traced:

- `"matmul"`: patches by strided slices, then one matrix product (transposed: one matrix product,
  then overlapping patches are added up);
- `"stock"`: `flax.linen.Conv` and `flax.linen.ConvTranspose`;
- `"auto"`: `"matmul"` where the default backend is a CPU, `"stock"` elsewhere.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

LOWERINGS = ("auto", "matmul", "stock")


def _lowering(name: str) -> str:
    if name not in LOWERINGS:
        raise ValueError(f"lowering={name!r}: must be one of {', '.join(LOWERINGS)}")
    if name == "auto":
        return "matmul" if jax.default_backend() == "cpu" else "stock"
    return name


class _ConvBase(nn.Module):
    features: int
    kernel_size: Sequence[int] = (3, 3)
    strides: Sequence[int] = (1, 1)
    padding: str | Sequence[tuple[int, int]] = "SAME"
    use_bias: bool = True
    lowering: str = "auto"
    dtype: Any = jnp.float32
    kernel_init: Any = nn.initializers.lecun_normal()

    def _parameters(self, in_features: int) -> tuple[jax.Array, jax.Array | None]:
        shape = (*self.kernel_size, in_features, self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        bias = None
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros_init(), (self.features,), jnp.float32)
        return kernel, bias


class Conv(_ConvBase):
    """2-D convolution: `flax.linen.Conv` with a choice of lowering.

    Attributes:
      features: output channels.
      kernel_size, strides: (height, width).
      padding: `"SAME"`, `"VALID"` or ((top, bottom), (left, right)).
      use_bias: adds a bias per channel.
      lowering: see the module's docstring.
      dtype: of compute; parameters are float32.
      kernel_init: initializer of the (height, width, in, out) kernel.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) to (B, H', W', features)."""
        kernel, bias = self._parameters(x.shape[-1])
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        if _lowering(self.lowering) == "matmul":
            y = conv_as_matmul(x, kernel, self.strides, self.padding)
        else:
            y = jax.lax.conv_general_dilated(
                x, kernel, self.strides, self.padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
        return y if bias is None else y + bias.astype(self.dtype)


class ConvTranspose(_ConvBase):
    """2-D transposed convolution: `flax.linen.ConvTranspose` with a choice of lowering.

    Attributes are those of `Conv`. As in Flax, the kernel is (height, width, in, out) and not
    flipped.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) to (B, H', W', features); with `"SAME"`, H' = H * stride."""
        kernel, bias = self._parameters(x.shape[-1])
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        if _lowering(self.lowering) == "matmul":
            y = conv_transpose_as_matmul(x, kernel, self.strides, self.padding)
        else:
            y = jax.lax.conv_transpose(
                x, kernel, self.strides, self.padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
        return y if bias is None else y + bias.astype(self.dtype)


def conv_as_matmul(
    x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: str | Sequence[tuple[int, int]]
) -> jax.Array:
    """`lax.conv_general_dilated` (NHWC, HWIO) as patches times one matrix.

    Args:
      x: (B, H, W, C).
      kernel: (h, w, C, F).
      strides: (rows, columns).
      padding: as for `lax.conv_general_dilated`.
    """
    (h, w, _, features), (sy, sx) = kernel.shape, strides
    pads = jax.lax.padtype_to_pads(x.shape[1:3], (h, w), strides, padding) if isinstance(padding, str) else padding
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    rows, columns = (x.shape[1] - h) // sy + 1, (x.shape[2] - w) // sx + 1
    patches = [
        x[:, i : i + sy * (rows - 1) + 1 : sy, j : j + sx * (columns - 1) + 1 : sx]
        for i in range(h)
        for j in range(w)
    ]
    return jnp.concatenate(patches, axis=-1) @ kernel.reshape(-1, features)


def conv_transpose_as_matmul(
    x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: str | Sequence[tuple[int, int]]
) -> jax.Array:
    """`lax.conv_transpose` (NHWC, HWIO) as one matrix product whose patches are then added up.

    Args:
      x: (B, H, W, C).
      kernel: (h, w, C, F).
      strides: (rows, columns).
      padding: as for `lax.conv_transpose`.
    """
    (batch, rows, columns, _), (h, w, channels, features), (sy, sx) = x.shape, kernel.shape, strides
    # Contribution of each input pixel to the h x w outputs it touches. lax.conv_transpose slides
    # the kernel unflipped over the dilated input, so tap (i, j) reaches back by h-1-i and w-1-j.
    taps = x @ kernel[::-1, ::-1].transpose(2, 0, 1, 3).reshape(channels, -1)
    taps = taps.reshape(batch, rows, columns, h, w, features)
    full_h, full_w = sy * (rows - 1) + h, sx * (columns - 1) + w
    full = jnp.zeros((batch, full_h, full_w, features), x.dtype)
    for i in range(h):
        for j in range(w):
            config = [(0, 0, 0), (i, h - 1 - i, sy - 1), (j, w - 1 - j, sx - 1), (0, 0, 0)]
            full += jax.lax.pad(taps[:, :, :, i, j], jnp.zeros((), x.dtype), config)
    (top, bottom), (left, right) = (
        _crop(k, s, padding if isinstance(padding, str) else padding[axis])
        for axis, (k, s) in enumerate(((h, sy), (w, sx)))
    )
    config = [(0, 0, 0), (-top, -bottom, 0), (-left, -right, 0), (0, 0, 0)]
    return jax.lax.pad(full, jnp.zeros((), x.dtype), config)


def _crop(kernel: int, stride: int, padding: str | tuple[int, int]) -> tuple[int, int]:
    """How much of the full overlap-add is outside the output (negative: zeros are added)."""
    if padding == "VALID":
        before, after = kernel - 1, kernel - 1 + max(stride - kernel, 0)
    elif padding == "SAME":
        total = kernel + stride - 2
        before = kernel - 1 if stride > kernel - 1 else -(-total // 2)
        after = total - before
    else:
        before, after = padding
    return kernel - 1 - before, kernel - 1 - after
