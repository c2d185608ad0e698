"""Networks that depend on a time: its embedding, and a dense network for points."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core import checks
from genjax.models.dense import MLP

_FASTEST, _SLOWEST = 1000.0, 0.1  # radians in a unit of time
_FINEST, _COARSEST = 128.0, 1.0  # radians in a unit of a coordinate


def sinusoidal(time_B: jax.Array, features: int) -> jax.Array:
    """Computes cosines and sines of a time at `features / 2` frequencies, (B, features), float32.

    The frequencies are geometric, as in Vaswani et al. 2017 (Attention is all you need), section
    3.5, from 1000 down to 0.1 radians in a unit of time.

    Args:
      time_B: (B,), in [0, 1].
      features: even.
    """
    checks.floats("B", time_B=time_B)
    checks.whole("features", features, 2)
    exponents = jnp.linspace(math.log(_FASTEST), math.log(_SLOWEST), features // 2)
    angles = time_B[:, None].astype(jnp.float32) * jnp.exp(exponents)
    return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], -1)


class Condition(nn.Module):
    """A vector of what a network depends on beside its input: the time, and a class if any.

    Attributes:
      features: of the vector; even.
      num_classes: labels are 0 … num_classes; the last stands for "no class". 0: no labels.
      dtype: of compute; parameters are float32.
    """

    features: int
    num_classes: int = 0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, time_B: jax.Array, label_B: jax.Array | None = None) -> jax.Array:
        """Computes (B, features), activated, for a linear layer to follow."""
        sizes = checks.floats("B", time_B=time_B)
        if self.num_classes:
            checks.integers("B", sizes, label_B=label_B)
            checks.indices("label_B", label_B, self.num_classes + 1)
        elif label_B is not None:
            raise ValueError("label_B: is given; a network with num_classes=0 takes none")
        x = sinusoidal(time_B, self.features)
        x = nn.Dense(self.features, dtype=self.dtype)(x.astype(self.dtype))
        x = nn.Dense(self.features, dtype=self.dtype)(nn.silu(x))
        if self.num_classes:
            x = x + nn.Embed(self.num_classes + 1, self.features, dtype=self.dtype)(label_B)
        return nn.silu(x)


class TimeMLP(nn.Module):
    """An `MLP` from an example and a time (and a class) to the shape of the example.

    Attributes:
      hidden, activation, norm, dtype: of the `MLP`.
      features, num_classes: of the `Condition`.
      frequencies: of sines and cosines of each coordinate that join the inputs, geometric from 1 to
        128 radians in a unit: a network learns fine structure of few dimensions by them (Tancik et
        al. 2020, Fourier features, section 5). 0: none.
    """

    hidden: Sequence[int]
    features: int = 64
    num_classes: int = 0
    activation: str = "silu"
    norm: str = "layer"
    dtype: Any = jnp.float32
    frequencies: int = 0

    @nn.compact
    def __call__(
        self, x: jax.Array, time_B: jax.Array, label_B: jax.Array | None = None
    ) -> jax.Array:
        """Maps (B, …) and (B,) to (B, …)."""
        checks.floats("B", checks.floats("B …", x=x), time_B=time_B)
        message = Condition(self.features, self.num_classes, self.dtype)(time_B, label_B)
        flat = x.reshape(x.shape[0], -1)
        if self.frequencies:
            steps = jnp.geomspace(_COARSEST, _FINEST, self.frequencies)
            angles = (flat[..., None] * steps).reshape(len(flat), -1)
            flat = jnp.concatenate([flat, jnp.sin(angles), jnp.cos(angles)], -1)
        flat = jnp.concatenate([flat.astype(self.dtype), message], -1)
        return MLP(self.hidden, x.shape[1:], self.activation, self.norm, dtype=self.dtype)(flat)
