"""What a classifier of pictures sees in training beside the data: moved pictures, and outliers.

Pictures are (B, H, W, C) in [0, 1].
"""

import jax
import jax.numpy as jnp
import numpy as np

NOISE = 0.05  # standard deviation of pixel noise added to training images
_ZOOM = 0.2  # of color pictures: sides are up to e^0.2 times longer or shorter, and
_STRETCH = 0.1  # one of them by up to e^0.1 more than the other
_SHIFT = 1 / 10  # of the side, at most, either way
_COLOR = 0.1  # the darkness of each channel changes by up to e^0.1


def shifted(key: jax.Array, x: jax.Array) -> jax.Array:
    """Moves each image by up to 1/16 of its side, at most a pixel, either way; edges are black."""
    offsets = jax.random.uniform(key, (2, x.shape[0], 1, 1, 1), minval=-1.0, maxval=1.0)
    for axis, offset in zip((1, 2), offsets, strict=True):
        offset = offset * min(1.0, x.shape[axis] / 16)
        padding = [(1, 1) if i == axis else (0, 0) for i in range(x.ndim)]
        padded = jnp.pad(x, padding)
        before = jax.lax.slice_in_dim(padded, 0, x.shape[axis], axis=axis)
        after = jax.lax.slice_in_dim(padded, 2, None, axis=axis)
        # Linear interpolation between a pixel and its neighbor.
        moved = jnp.where(offset > 0, before, after)
        x = x + jnp.abs(offset) * (moved - x)
    return x


def redrawn(key: jax.Array, x: jax.Array) -> jax.Array:
    """Mirrors, zooms, stretches, shifts and tints each picture at random.

    Pixels are interpolated linearly; a picture goes on beyond its edge as its last pixel.
    """
    keys, rows = jax.random.split(key, 5), len(x)

    def uniform(i: int, most: float, count: int = 1) -> jax.Array:
        return jax.random.uniform(keys[i], (count, rows), minval=-most, maxval=most)

    mirrored = jnp.where(jax.random.bernoulli(keys[0], shape=(rows,)), -1.0, 1.0)
    scale = jnp.exp(uniform(1, _ZOOM) + uniform(2, _STRETCH, 2))
    offset = uniform(3, _SHIFT, 2)
    rows_BxIxH = _interpolation(x.shape[1], scale[0], offset[0])
    columns_BxJxW = _interpolation(x.shape[2], scale[1] * mirrored, offset[1])
    x = jnp.einsum("bih,bhwc->biwc", rows_BxIxH, x)
    x = jnp.einsum("bjw,biwc->bijc", columns_BxJxW, x)
    tint = jnp.exp(uniform(4, _COLOR, x.shape[3])).T[:, None, None]
    return jnp.clip(1 - tint * (1 - x), 0.0, 1.0)


def _interpolation(size: int, scale_B: jax.Array, offset_B: jax.Array) -> jax.Array:
    """Makes the matrices (B, size, size) that resample an axis; offsets are shares of it."""
    center = (size - 1) / 2
    at = scale_B[:, None] * (jnp.arange(size) - center) + center + size * offset_B[:, None]
    at_BxIx1 = jnp.clip(at, 0, size - 1)[..., None]
    return jnp.maximum(0.0, 1 - jnp.abs(at_BxIx1 - jnp.arange(size)))


def outliers(
    keys: jax.Array, x: jax.Array, labels_BxK: jax.Array, number: int
) -> tuple[jax.Array, jax.Array]:
    """Makes `number` images that are no members of any class, and their target distributions.

    Four kinds in equal parts: averages of two images, with the average of their labels, and with
    uniform targets shuffled pixels, noise and blurred images.

    Args:
      keys: three PRNG keys.
      x: B images, at least `number`.
      labels_BxK: their distributions.
      number: a multiple of 4.
    """
    quarter, classes = number // 4, labels_BxK.shape[1]
    a, b, c, d = jnp.split(x[:number], 4)
    share = jax.random.uniform(keys[0], (quarter, 1, 1, 1), minval=0.3, maxval=0.5)
    averages = share * a + (1 - share) * b
    labels_a, labels_b, *_ = jnp.split(labels_BxK[:number], 4)
    average_labels = share[..., 0, 0] * labels_a + (1 - share[..., 0, 0]) * labels_b
    # One permutation for all: as random as one each to the network, and a single sort.
    order = jax.random.permutation(keys[1], x[0].size)
    shuffled = c.reshape(quarter, -1)[:, order].reshape(c.shape)
    noise = jax.random.uniform(keys[2], c.shape)
    images = jnp.concatenate([averages, shuffled, noise, blurred(d)])
    uniform = jnp.full((3 * quarter, classes), 1 / classes)
    return images, jnp.concatenate([average_labels, uniform])


def blurred(x: jax.Array) -> jax.Array:
    """Blurs by a box over 3/8 of each side (3 pixels of 8, 11 of 28)."""
    rows, columns = (_blur_matrix(n) for n in x.shape[1:3])
    return jnp.einsum("ih,nhwc,jw->nijc", rows, x, columns)


def _blur_matrix(n: int) -> np.ndarray:
    distance = np.abs(np.arange(n)[:, None] - np.arange(n))
    box = (distance <= max(1, 3 * n // 16)).astype(np.float32)
    return box / box.sum(axis=1, keepdims=True)
