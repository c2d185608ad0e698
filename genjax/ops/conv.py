"""Convolutions whose lowering suits the platform.

On GPU and TPU the stock convolution is the right one. XLA's CPU backend is slow at its gradients
and slower still at the gradient of a gradient penalty, where the same sums written as one matrix
product run near the full rate of the machine.

- `"matmul"`: space-to-depth turns a convolution of stride s into one of stride 1 on s*s times the
  channels, whose few shifted copies are one matrix product with the kernel. Inside, the batch is
  the last axis: copies then move long contiguous rows, and the products of both gradients come
  out in the forms that XLA's CPU matrix product is fast at (a product that contracts the leading
  axis of its left side runs at half the rate there).
- `"stock"`: `lax.conv_general_dilated` and `lax.conv_transpose`, as Flax has them.
- `"auto"`: `"matmul"` where the default backend is a CPU, `"stock"` elsewhere.
"""

import itertools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from genjax.ops.platform import choices, lowering

LOWERINGS = choices("convolution")
Padding = str | Sequence[tuple[int, int]]
_NHWC = ("NHWC", "HWIO", "NHWC")


def wants_batch_last(name: str) -> bool:
    """Tells whether a lowering of `LOWERINGS` works with the batch as the last axis.

    Raises:
      ValueError: there is no such lowering.
    """
    return lowering("convolution", name) == "matmul"


def to_batch_last(x: jax.Array) -> jax.Array:
    """Turns (B, H, W, C) to (C, H, W, B)."""
    return x.transpose(3, 1, 2, 0)


def to_batch_first(x: jax.Array) -> jax.Array:
    """Turns (C, H, W, B) to (B, H, W, C)."""
    return x.transpose(3, 1, 2, 0)


def convolve(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int] = (1, 1),
    padding: Padding = "SAME",
    *,
    transpose: bool = False,
    groups: int = 1,
    lowering: str = "auto",
    batch_last: bool = False,
) -> jax.Array:
    """Computes a 2-D convolution, (B, H', W', F).

    Args:
      x: (B, H, W, C).
      kernel: (h, w, C / groups, F); not flipped, transposed or not.
      strides: (rows, columns).
      padding: `"SAME"`, `"VALID"` or ((top, bottom), (left, right)).
      groups: of channels that do not see each other, not transposed.
      transpose: computes the transposed convolution, whose strides enlarge the image.
      lowering: of `LOWERINGS`.
      batch_last: takes `x` as (C, H, W, B) and returns (F, H', W', B), which spares a chain of
        `"matmul"` layers the transposes between them.
    """
    if transpose and groups > 1:
        raise ValueError(f"groups={groups}: must be 1 of a transposed convolution")
    inside_last = wants_batch_last(lowering)
    if inside_last != batch_last:
        x = to_batch_last(x) if inside_last else to_batch_first(x)
    if inside_last:
        f = _transpose_as_matmul if transpose else _conv_as_matmul
        y = _grouped(f, x, kernel, strides, padding, groups)
    elif transpose:
        y = jax.lax.conv_transpose(x, kernel, strides, padding, dimension_numbers=_NHWC)
    else:
        y = jax.lax.conv_general_dilated(
            x, kernel, strides, padding, dimension_numbers=_NHWC, feature_group_count=groups
        )
    if inside_last != batch_last:
        y = to_batch_first(y) if inside_last else to_batch_last(y)
    return y


def _grouped(
    f: Callable[..., jax.Array],
    x: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int],
    padding: Padding,
    groups: int,
) -> jax.Array:
    """Applies `f` to each group of channels of (C, H, W, B)."""
    if groups == 1:
        return f(x, kernel, strides, padding)
    parts = x.reshape(groups, -1, *x.shape[1:])
    kernels = kernel.reshape(*kernel.shape[:3], groups, -1)
    y = jax.vmap(lambda x, kernel: f(x, kernel, strides, padding), (0, 3))(parts, kernels)
    return y.reshape(-1, *y.shape[2:])


def _conv_as_matmul(
    x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: Padding
) -> jax.Array:
    """Computes `lax.conv_general_dilated` as one matrix product, batch last.

    A kernel whose size the stride does not divide is filled up with zeros.

    Args:
      x: (C, H, W, B).
      kernel: (h, w, C, F).
      strides: (rows, columns).
      padding: as for `lax.conv_general_dilated`.

    Returns:
      (F, H', W', B).
    """
    (h, w, channels, features), (sy, sx), batch = kernel.shape, strides, x.shape[3]
    (top, bottom), (left, right) = (
        jax.lax.padtype_to_pads(x.shape[1:3], (h, w), strides, padding)
        if isinstance(padding, str)
        else padding
    )
    rows = (x.shape[1] + top + bottom - h) // sy + 1
    columns = (x.shape[2] + left + right - w) // sx + 1
    ny, nx = -(-h // sy), -(-w // sx)
    # Exactly the pixels that the windows cover, as (stride, block) along both axes.
    size_y, size_x = sy * (rows + ny - 1), sx * (columns + nx - 1)
    x = _pad(x, (top, size_y - top - x.shape[1]), (left, size_x - left - x.shape[2]))
    x = x.reshape(channels, rows + ny - 1, sy, columns + nx - 1, sx, batch)
    x = x.transpose(2, 4, 0, 1, 3, 5).reshape(sy * sx * channels, rows + ny - 1, -1, batch)
    shifts = [x[:, i : i + rows, j : j + columns] for i in range(ny) for j in range(nx)]
    matrix = _blocks(kernel, ny, sy, nx, sx).transpose(5, 0, 2, 1, 3, 4).reshape(features, -1)
    patches = jnp.stack(shifts).reshape(matrix.shape[1], -1)
    return jnp.dot(matrix, patches).reshape(features, rows, columns, batch)


def _transpose_as_matmul(
    x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: Padding
) -> jax.Array:
    """Computes `lax.conv_transpose` as a matrix product whose shifted parts are added, batch last.

    Args:
      x: (C, H, W, B).
      kernel: (h, w, C, F).
      strides: (rows, columns).
      padding: as for `lax.conv_transpose`.

    Returns:
      (F, H', W', B).
    """
    (channels, rows, columns, batch), (h, w, _, features) = x.shape, kernel.shape
    sy, sx = strides
    ny, nx = -(-h // sy), -(-w // sx)
    # lax.conv_transpose slides the kernel unflipped over the dilated input, so an input pixel
    # meets the kernel's taps from the last to the first.
    blocks = _blocks(kernel[::-1, ::-1], ny, sy, nx, sx)
    matrix = blocks.transpose(0, 2, 1, 3, 5, 4).reshape(-1, channels)
    taps = jnp.dot(matrix, x.reshape(channels, -1))
    taps = taps.reshape(ny, nx, sy * sx * features, rows, columns, batch)
    full = jnp.zeros((), x.dtype)
    for i, j in itertools.product(range(ny), range(nx)):
        full = full + _pad(taps[i, j], (i, ny - 1 - i), (j, nx - 1 - j))
    full = full.reshape(sy, sx, features, rows + ny - 1, columns + nx - 1, batch)
    full = full.transpose(2, 3, 0, 4, 1, 5).reshape(
        features, sy * (rows + ny - 1), sx * (columns + nx - 1), batch
    )
    # Filling the kernel up has added rows and columns at the end, which go with the padding.
    (top, bottom), (left, right) = (
        _crop(k, s, padding if isinstance(padding, str) else padding[axis])
        for axis, (k, s) in enumerate(((h, sy), (w, sx)))
    )
    extra_y, extra_x = ny * sy - h, nx * sx - w
    return _pad(full, (-top, -bottom - extra_y), (-left, -right - extra_x))


def _blocks(kernel: jax.Array, ny: int, sy: int, nx: int, sx: int) -> jax.Array:
    """Fills (h, w, C, F) up with zeros to (ny, sy, nx, sx, C, F)."""
    h, w, channels, features = kernel.shape
    kernel = jnp.pad(kernel, ((0, ny * sy - h), (0, nx * sx - w), (0, 0), (0, 0)))
    return kernel.reshape(ny, sy, nx, sx, channels, features)


def _pad(x: jax.Array, rows: tuple[int, int], columns: tuple[int, int]) -> jax.Array:
    """Puts zeros around axes 1 and 2; a negative number crops."""
    config = [(0, 0, 0), (*rows, 0), (*columns, 0), (0, 0, 0)]
    return jax.lax.pad(x, jnp.zeros((), x.dtype), config)


def _crop(kernel: int, stride: int, padding: str | tuple[int, int]) -> tuple[int, int]:
    """Computes how much of the full overlap-add lies outside the output; negative: zeros lack."""
    if not isinstance(padding, str):
        before, after = padding
    elif padding == "VALID":
        before, after = kernel - 1, kernel - 1 + max(stride - kernel, 0)
    else:
        total = kernel + stride - 2
        before = kernel - 1 if stride > kernel - 1 else -(-total // 2)
        after = total - before
    return kernel - 1 - before, kernel - 1 - after
