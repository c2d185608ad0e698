"""InceptionV3 for the evaluation of generative models: features and logits, in inference.

Source: Szegedy et al. 2016, "Rethinking the Inception architecture for computer vision",
arXiv:1512.00567. There are two variants, with the same convolutions and other weights:

- `"fid"`: the network of 2015 that FID and Inception score are defined by, as torch-fidelity and
  pytorch-fid ported it from TensorFlow. 1,008 classes; average pooling leaves padding out of its
  count; the last block pools by maximum instead of average; images are resized with TensorFlow 1's
  corners; and logits have no bias, as when the score was first computed.
- `"torchvision"`: the network and weights of torchvision, 1,000 classes.

Numbers of one are not comparable with those of the other.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

NUM_CLASSES = {"fid": 1008, "torchvision": 1000}  # of each variant
SIZE = 299  # pixels of a side


class InceptionV3(nn.Module):
    """The network, without the auxiliary classifier and dropout, which only training uses.

    Parameters lie under torchvision's names (`Mixed_5b`, `branch5x5_1`, …).

    Attributes:
      variant: a key of `NUM_CLASSES`.
    """

    variant: str = "fid"

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Maps images (B, 299, 299, 3) of `prepare` to features (B, 2048) and logits (B, K).

        Images of any size of at least 75 pixels will do.
        """
        tensorflow = self.variant == "fid"
        average = partial(_average_pool, count_include_pad=not tensorflow)
        x = _Conv(32, (3, 3), stride=2, name="Conv2d_1a_3x3")(x)
        x = _Conv(32, (3, 3), padding="VALID", name="Conv2d_2a_3x3")(x)
        x = _Conv(64, (3, 3), name="Conv2d_2b_3x3")(x)
        x = _halve(x)
        x = _Conv(80, (1, 1), name="Conv2d_3b_1x1")(x)
        x = _Conv(192, (3, 3), padding="VALID", name="Conv2d_4a_3x3")(x)
        x = _halve(x)
        x = _BlockA(32, average, name="Mixed_5b")(x)
        x = _BlockA(64, average, name="Mixed_5c")(x)
        x = _BlockA(64, average, name="Mixed_5d")(x)
        x = _BlockB(name="Mixed_6a")(x)
        x = _BlockC(128, average, name="Mixed_6b")(x)
        x = _BlockC(160, average, name="Mixed_6c")(x)
        x = _BlockC(160, average, name="Mixed_6d")(x)
        x = _BlockC(192, average, name="Mixed_6e")(x)
        x = _BlockD(name="Mixed_7a")(x)
        x = _BlockE(average, name="Mixed_7b")(x)
        x = _BlockE(_max_pool if tensorflow else average, name="Mixed_7c")(x)
        features_BxD = x.mean(axis=(1, 2))
        classes = NUM_CLASSES[self.variant]
        return features_BxD, nn.Dense(classes, use_bias=not tensorflow, name="fc")(features_BxD)


def prepare(images_BxHxWxC: jax.Array, variant: str) -> jax.Array:
    """Prepares images in [0, 1], of one or three channels, for a variant: (B, 299, 299, 3).

    It rounds them to 8 bits, as they would be stored; repeats gray; resizes bilinearly without
    antialiasing, with the corners of TensorFlow 1 (`fid`) or of PyTorch (`torchvision`); and takes
    (x - 128) / 128 of 0 … 255 (`fid`) or 2 x - 1 of 0 … 1 (`torchvision`).
    """
    x = jnp.round(jnp.clip(images_BxHxWxC, 0.0, 1.0) * 255.0)
    x = jnp.broadcast_to(x, (*x.shape[:3], 3))
    tensorflow = variant == "fid"
    rows, columns = (
        _resize_matrix(n, SIZE, half_pixel=not tensorflow) for n in images_BxHxWxC.shape[1:3]
    )
    x = jnp.einsum("ih,nhwc,jw->nijc", rows, x, columns, precision="highest")
    return (x - 128.0) / 128.0 if tensorflow else x * (2.0 / 255.0) - 1.0


def _resize_matrix(n: int, size: int, *, half_pixel: bool) -> np.ndarray:
    """Makes the matrix (size, n) whose row i interpolates between the 2 of n pixels at its place.

    The place is i * n / size (TensorFlow 1) or, half-pixel, (i + 0.5) * n / size - 0.5.
    """
    i = np.arange(size)
    place = np.maximum((i + 0.5) * n / size - 0.5, 0.0) if half_pixel else i * n / size
    low = place.astype(int)
    matrix = np.zeros((size, n))
    np.add.at(matrix, (i, low), 1.0 - (place - low))
    np.add.at(matrix, (i, np.minimum(low + 1, n - 1)), place - low)
    return matrix.astype(np.float32)


class _Conv(nn.Module):
    """Convolution, batch norm with its running statistics, ReLU; a stride means no padding."""

    features: int
    kernel_size: tuple[int, int]
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        padding = "VALID" if self.stride > 1 else self.padding
        strides = (self.stride, self.stride)
        conv = nn.Conv(
            self.features, self.kernel_size, strides, padding, use_bias=False, name="conv"
        )
        x = conv(x)
        return nn.relu(nn.BatchNorm(use_running_average=True, epsilon=1e-3, name="bn")(x))


class _BlockA(nn.Module):
    pool_features: int
    pool: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        a = _Conv(64, (1, 1), name="branch1x1")(x)
        b = _Conv(48, (1, 1), name="branch5x5_1")(x)
        b = _Conv(64, (5, 5), name="branch5x5_2")(b)
        c = _Conv(64, (1, 1), name="branch3x3dbl_1")(x)
        c = _Conv(96, (3, 3), name="branch3x3dbl_2")(c)
        c = _Conv(96, (3, 3), name="branch3x3dbl_3")(c)
        d = _Conv(self.pool_features, (1, 1), name="branch_pool")(self.pool(x))
        return jnp.concatenate([a, b, c, d], axis=-1)


class _BlockB(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        a = _Conv(384, (3, 3), stride=2, name="branch3x3")(x)
        b = _Conv(64, (1, 1), name="branch3x3dbl_1")(x)
        b = _Conv(96, (3, 3), name="branch3x3dbl_2")(b)
        b = _Conv(96, (3, 3), stride=2, name="branch3x3dbl_3")(b)
        return jnp.concatenate([a, b, _halve(x)], axis=-1)


class _BlockC(nn.Module):
    width: int
    pool: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        n = self.width
        a = _Conv(192, (1, 1), name="branch1x1")(x)
        b = _Conv(n, (1, 1), name="branch7x7_1")(x)
        b = _Conv(n, (1, 7), name="branch7x7_2")(b)
        b = _Conv(192, (7, 1), name="branch7x7_3")(b)
        c = _Conv(n, (1, 1), name="branch7x7dbl_1")(x)
        c = _Conv(n, (7, 1), name="branch7x7dbl_2")(c)
        c = _Conv(n, (1, 7), name="branch7x7dbl_3")(c)
        c = _Conv(n, (7, 1), name="branch7x7dbl_4")(c)
        c = _Conv(192, (1, 7), name="branch7x7dbl_5")(c)
        d = _Conv(192, (1, 1), name="branch_pool")(self.pool(x))
        return jnp.concatenate([a, b, c, d], axis=-1)


class _BlockD(nn.Module):
    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        a = _Conv(192, (1, 1), name="branch3x3_1")(x)
        a = _Conv(320, (3, 3), stride=2, name="branch3x3_2")(a)
        b = _Conv(192, (1, 1), name="branch7x7x3_1")(x)
        b = _Conv(192, (1, 7), name="branch7x7x3_2")(b)
        b = _Conv(192, (7, 1), name="branch7x7x3_3")(b)
        b = _Conv(192, (3, 3), stride=2, name="branch7x7x3_4")(b)
        return jnp.concatenate([a, b, _halve(x)], axis=-1)


class _BlockE(nn.Module):
    pool: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        a = _Conv(320, (1, 1), name="branch1x1")(x)
        b = _Conv(384, (1, 1), name="branch3x3_1")(x)
        b_wide = _Conv(384, (1, 3), name="branch3x3_2a")(b)
        b_tall = _Conv(384, (3, 1), name="branch3x3_2b")(b)
        c = _Conv(448, (1, 1), name="branch3x3dbl_1")(x)
        c = _Conv(384, (3, 3), name="branch3x3dbl_2")(c)
        c_wide = _Conv(384, (1, 3), name="branch3x3dbl_3a")(c)
        c_tall = _Conv(384, (3, 1), name="branch3x3dbl_3b")(c)
        d = _Conv(192, (1, 1), name="branch_pool")(self.pool(x))
        return jnp.concatenate([a, b_wide, b_tall, c_wide, c_tall, d], axis=-1)


def _halve(x: jax.Array) -> jax.Array:
    y: jax.Array = nn.max_pool(x, (3, 3), (2, 2), "VALID")
    return y


def _max_pool(x: jax.Array) -> jax.Array:
    y: jax.Array = nn.max_pool(x, (3, 3), (1, 1), "SAME")
    return y


def _average_pool(x: jax.Array, *, count_include_pad: bool) -> jax.Array:
    y: jax.Array = nn.avg_pool(x, (3, 3), (1, 1), "SAME", count_include_pad=count_include_pad)
    return y
