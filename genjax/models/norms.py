"""Normalizations of hidden layers."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core import checks
from genjax.core.batch import AXIS, batch_devices
from genjax.ops.precision import at_least_float32

NORMS = ("none", "batch", "layer")


class Norm(nn.Module):
    """The normalization of a hidden layer, by name: `none`, `batch` or `layer`.

    Batch normalization uses the statistics of the global batch in training and their running
    average (momentum 0.9) in evaluation and sampling. It computes in float32.
    """

    kind: str
    dtype: Any = jnp.float32
    features_axis: int = -1

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Normalizes `x`, whose `features_axis` holds the features."""
        checks.chosen("norm", self.kind, NORMS)
        features = self.features_axis
        if self.kind == "batch":
            x = nn.BatchNorm(axis=features, dtype=self.dtype, **_of_the_batch(train))(x)
        elif self.kind == "layer":
            x = nn.LayerNorm(reduction_axes=features, feature_axes=features, dtype=self.dtype)(x)
        return x


class ConditionalBatchNorm(nn.Module):
    """Batch normalization of pictures whose scale and shift are those of the example's class.

    Source: Dumoulin et al. 2017 (A learned representation for artistic style), equation 5. The
    statistics are those of `Norm`.

    Attributes:
      num_classes: each has a scale and a shift for every channel; they begin at 1 and 0.
      features_axis: 0 (C, H, W, B) or -1.
      dtype: of the result.
    """

    num_classes: int
    features_axis: int = -1
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label_B: jax.Array, *, train: bool) -> jax.Array:
        """Normalizes `x`; labels are in 0 … num_classes - 1."""
        last = self.features_axis == 0
        batch: Any = {"use_bias": False, "use_scale": False, **_of_the_batch(train)}
        x = nn.BatchNorm(axis=self.features_axis, dtype=self.dtype, **batch)(x)
        shape = (self.num_classes, x.shape[self.features_axis])
        scale = self.param("scale", nn.initializers.ones_init(), shape, jnp.float32)
        shift = self.param("shift", nn.initializers.zeros_init(), shape, jnp.float32)
        scale, shift = (p[label_B].astype(self.dtype) for p in (scale, shift))
        if last:
            return x * scale.T[:, None, None] + shift.T[:, None, None]
        return x * scale[:, None, None] + shift[:, None, None]


def _of_the_batch(train: bool) -> dict[str, Any]:
    """Options of batch norm: the global batch in training, running averages otherwise."""
    axis_name = AXIS if batch_devices() else None
    return {"use_running_average": not train, "momentum": 0.9, "axis_name": axis_name}


class GroupNorm(nn.Module):
    """Group normalization over the pixels and a group's channels.

    Source: Wu and He 2018. One group is layer normalization of a whole picture (Ba et al. 2016).
    Statistics are in float32.

    Attributes:
      features_axis: 0 (C, H, W, B) or -1.
      dtype: of the result.
      epsilon: added to the variance.
      groups: at most; so many as divide the channels, and one where a group would be one number,
        which is 0 when it is normalized.
    """

    features_axis: int = -1
    dtype: Any = jnp.float32
    epsilon: float = 1e-5
    groups: int = 8

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Normalizes `x`."""
        channels = x.shape[self.features_axis]
        groups = math.gcd(self.groups, channels)
        if x.shape[1] * x.shape[2] * channels == groups:
            groups = 1
        scale = self.param("scale", nn.initializers.ones_init(), (channels,), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (channels,), jnp.float32)
        if self.features_axis == 0:
            split, axes = (groups, -1, *x.shape[1:]), (1, 2, 3)
            scale, bias = (p[:, None, None, None] for p in (scale, bias))
        else:
            split, axes = (*x.shape[:-1], groups, channels // groups), (1, 2, 4)
        y = at_least_float32(x).reshape(split)
        mean = y.mean(axes, keepdims=True)
        variance = jnp.square(y - mean).mean(axes, keepdims=True)
        y = (y - mean) * jax.lax.rsqrt(variance + self.epsilon)
        return (y.reshape(x.shape) * scale + bias).astype(self.dtype)
