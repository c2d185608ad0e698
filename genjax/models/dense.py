"""Fully connected networks."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core.random import batch_uniform
from genjax.models.features import offer
from genjax.models.minibatch import MinibatchStddev
from genjax.models.norms import Norm

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": nn.relu,
    "leaky_relu": lambda x: nn.leaky_relu(x, 0.2),
    "tanh": nn.tanh,
    "elu": nn.elu,
    "gelu": nn.gelu,
    "silu": nn.silu,
}
MAXOUT_PIECES = 5


class MLP(nn.Module):
    """Layers of `hidden` widths with normalization and activation, then a linear layer.

    Attributes:
      hidden: widths of the hidden layers; may be empty.
      out_shape: shape of one output, `()` for a scalar.
      activation: after each hidden layer, a key of `ACTIVATIONS`; or "maxout": each hidden unit is
        the largest of `MAXOUT_PIECES` linear ones (Goodfellow et al. 2013).
      norm: see `Norm`; between each hidden layer and its activation.
      dropout: rate, after each hidden activation, in training.
      dtype: of compute; parameters are float32.
      minibatch_stddev: puts a `MinibatchStddev` in front of the last layer.
      init_variance: of initial weights, see `initial_weights`.
    """

    hidden: Sequence[int]
    out_shape: tuple[int, ...] = ()
    activation: str = "relu"
    norm: str = "none"
    dropout: float = 0.0
    dtype: Any = jnp.float32
    minibatch_stddev: bool = False
    init_variance: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps (B, …) to (B, *out_shape); inputs are flattened."""
        options = {"dtype": self.dtype, "kernel_init": initial_weights(self.init_variance)}
        x = x.reshape(x.shape[0], -1).astype(self.dtype)
        pieces = MAXOUT_PIECES if self.activation == "maxout" else 1
        activation = _maxout if self.activation == "maxout" else ACTIVATIONS[self.activation]
        for width in self.hidden:
            x = nn.Dense(width * pieces, **options)(x)
            x = Norm(self.norm, self.dtype)(x, train=train)
            x = activation(x)
            x = Dropout(self.dropout)(x, train=train)
            offer(self, x)
        if self.minibatch_stddev:
            x = MinibatchStddev()(x, train=train)
        y = nn.Dense(math.prod(self.out_shape), **options)(x)
        return y.reshape(x.shape[0], *self.out_shape)


def initial_weights(variance: float) -> nn.initializers.Initializer:
    """Initializes normal weights, cut off at two standard deviations, of `variance` / inputs.

    A variance of 1 keeps the variance of inputs from layer to layer (LeCun et al. 1998, Efficient
    backprop, section 4.6); PyTorch's layers begin with 1/3.
    """
    return nn.initializers.variance_scaling(variance, "fan_in", "truncated_normal")


def _maxout(x: jax.Array) -> jax.Array:
    """Maps (…, N * pieces) to (…, N)."""
    return x.reshape(*x.shape[:-1], -1, MAXOUT_PIECES).max(-1)


class Dropout(nn.Module):
    """Inverted dropout whose mask is drawn for the global batch, so that devices agree with one.

    Needs a `dropout` PRNG key in training where the rate is above 0.

    Attributes:
      rate: probability of an element to be dropped.
      shared_axes: axes of an example's array along which one mask holds; 1 is time in (B, T, D).
    """

    rate: float
    shared_axes: Sequence[int] = ()

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Zeroes elements at `rate`, and divides the others by 1 - rate."""
        if not train or not self.rate:
            return x
        shape = tuple(1 if i in self.shared_axes else n for i, n in enumerate(x.shape))
        keep = batch_uniform(self.make_rng("dropout"), shape) >= self.rate
        return jnp.where(keep, x / (1.0 - self.rate), 0.0).astype(x.dtype)
