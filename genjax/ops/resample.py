"""Halving and doubling of pictures, alone and as one product with a convolution.

Pictures are (B, H, W, C) or batch last, (C, H, W, B): rows and columns are axes 1 and 2 of both.
"""

import jax
import jax.numpy as jnp

_ROWS_AND_COLUMNS = (1, 2)


def mean_pool(x: jax.Array) -> jax.Array:
    """Computes the means of tiles of 2x2 pixels; height and width are even."""
    a, height, width, b = x.shape
    return x.reshape(a, height // 2, 2, width // 2, 2, b).mean((2, 4))


def repeat(x: jax.Array) -> jax.Array:
    """Makes a tile of 2x2 equal pixels of each."""
    for axis in _ROWS_AND_COLUMNS:
        x = jnp.repeat(x, 2, axis)
    return x


def blurred_halving(x: jax.Array) -> jax.Array:
    """Takes every second pixel behind the low-pass filter [1, 3, 3, 1] / 8 of rows and columns.

    The picture goes on beyond its edge as its last pixel. Sources: Zhang 2019 (Making convolutional
    networks shift-invariant again), section 3; Karras et al. 2020 (StyleGAN2) for the filter.
    """
    for axis in _ROWS_AND_COLUMNS:
        padded = jnp.pad(x, _around(axis), mode="edge")
        size = x.shape[axis]
        taps = [jax.lax.slice_in_dim(padded, i, i + size - 1, 2, axis) for i in range(4)]
        x = (taps[0] + 3 * taps[1] + 3 * taps[2] + taps[3]) / 8
    return x


def blurred_doubling(x: jax.Array) -> jax.Array:
    """Doubles rows and columns linearly: the same filter, between pixels that are zero."""
    for axis in _ROWS_AND_COLUMNS:
        padded = jnp.pad(x, _around(axis), mode="edge")
        size = x.shape[axis]
        before, after = (jax.lax.slice_in_dim(padded, i, i + size, 1, axis) for i in (0, 2))
        both = jnp.stack([(before + 3 * x) / 4, (3 * x + after) / 4], axis + 1)
        x = both.reshape(*x.shape[:axis], 2 * size, *x.shape[axis + 1 :])
    return x


def pooled_kernel(kernel: jax.Array) -> jax.Array:
    """Joins a 3x3 kernel and the `mean_pool` behind it: a 4x4 kernel of stride 2.

    It costs 16 products a pixel of the result where the two cost 36.
    """
    return _spread(kernel) / 4


def repeated_kernel(kernel: jax.Array) -> jax.Array:
    """Joins `repeat` and a 3x3 kernel behind it: a transposed 4x4 kernel of stride 2.

    It costs 4 products a pixel of the result where the two cost 9.
    """
    return _spread(kernel)


def _spread(kernel: jax.Array) -> jax.Array:
    """Adds the four copies of (3, 3, …) that are shifted by up to one: (4, 4, …)."""
    rest = [(0, 0)] * (kernel.ndim - 2)
    shifts = [(i, 1 - i) for i in range(2)]
    return sum((jnp.pad(kernel, [y, x, *rest]) for y in shifts for x in shifts), jnp.zeros(()))


def _around(axis: int) -> list[tuple[int, int]]:
    """A pixel on both sides of one axis of four."""
    return [(1, 1) if i == axis else (0, 0) for i in range(4)]
