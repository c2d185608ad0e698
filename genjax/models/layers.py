"""Settings of Transformer layers, and what they are made of: norms and dense layers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core import split
from genjax.ops.norm import normalize
from genjax.ops.precision import at_least_float32, dense, gelu

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": nn.relu,
    "gelu": gelu,
    "gelu_tanh": lambda x: nn.gelu(x, approximate=True),
    "silu": nn.silu,
}
GATED = {"swiglu": "silu", "geglu": "gelu"}  # Shazeer 2020 (GLU variants improve Transformer)
NORMS = ("layer", "rms")


@dataclass(frozen=True)
class Layers:
    """Settings of the layers of a stack.

    Attributes:
      width: of the vectors between layers.
      num_layers: number of layers.
      num_heads: heads of attention; divides `width`.
      num_kv_heads: heads of keys and values, each shared by several of queries; 0: `num_heads`.
      mlp_dim: width inside the feed-forward network; 0: 4 x `width`.
      activation: of `ACTIVATIONS`, or of `GATED`: one half of the hidden layer gates the other.
      norm: `"layer"` (Ba et al. 2016) or `"rms"` (Zhang and Sennrich 2019).
      norm_first: norms stand before attention and feed-forward, and one behind the last layer
        (Radford et al. 2019); else behind each residual sum, as in the original.
      epsilon: of the norms.
      bias: whether norms and dense layers have biases.
      rotary: queries and keys are rotated by their places.
      dropout: rate, of attention weights and of what is added to the residual stream.
      init_std: of the weights, those that end in the residual stream divided by
        sqrt(2 num_layers) (Radford et al. 2019); 0: Xavier's uniform distribution.
      remat: a layer's inside is computed again for the gradient, not kept.
      scan: layers are one compiled loop; else unrolled, which runs faster and compiles longer.
      dtype: of compute; parameters, weights of attention and norms are float32.
    """

    width: int
    num_layers: int
    num_heads: int
    num_kv_heads: int = 0
    mlp_dim: int = 0
    activation: str = "gelu"
    norm: str = "layer"
    norm_first: bool = True
    epsilon: float = 1e-5
    bias: bool = True
    rotary: bool = False
    dropout: float = 0.0
    init_std: float = 0.02
    remat: bool = False
    scan: bool = True
    dtype: Any = jnp.float32

    @property
    def groups(self) -> int:
        """Number of heads of keys and values."""
        return self.num_kv_heads or self.num_heads

    @property
    def head_size(self) -> int:
        """Features of a head."""
        return self.width // self.num_heads

    @property
    def hidden(self) -> int:
        """Width inside the feed-forward network."""
        return self.mlp_dim or 4 * self.width


def stacks_of(network: nn.Module | None) -> tuple[Layers, ...]:
    """Returns the settings of a network that is a stack of Transformer layers, or none."""
    layers = getattr(network, "layers", None)
    return (layers,) if isinstance(layers, Layers) else ()


class Norm(nn.Module):
    """Layer normalization, or by the root mean square alone; computed in at least float32."""

    layers: Layers

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Normalizes `x`, features last."""
        of, size, centered = self.layers, x.shape[-1:], self.layers.norm == "layer"
        scale = self.param("scale", nn.initializers.ones_init(), size)
        bias = None
        if of.bias and centered:
            bias = self.param("bias", nn.initializers.zeros_init(), size)
        scale, bias = split.gathered((scale, bias))
        x = normalize(at_least_float32(x), scale, bias, of.epsilon, centered)
        return x.astype(of.dtype)


class Dense(nn.Module):
    """A linear layer over the last axis, as `nn.Dense`; see `genjax.ops.precision.dense`.

    Attributes:
      features: of the output.
      bias: whether one is added.
      kernel_init: of the kernel.
      dtype: of compute.
      parts: sizes of the parts of the features, which then are split over devices of the axis
        `model`, if there is one; see `genjax.core.split`.
      sums: whether it is the input's features that are.
    """

    features: int
    bias: bool
    kernel_init: Callable[..., jax.Array]
    dtype: Any
    parts: tuple[int, ...] = ()
    sums: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps (…, D) to (…, features)."""
        kernel = self.param("kernel", self.kernel_init, (x.shape[-1], self.features))
        bias = None
        if self.bias:
            bias = self.param("bias", nn.initializers.zeros_init(), (self.features,))
            bias = bias.astype(self.dtype)
        x, kernel = x.astype(self.dtype), kernel.astype(self.dtype)
        if self.parts:
            bias = None if bias is None else split.columns(bias, self.parts)
            return split.spread(dense(split.whole(x), split.columns(kernel, self.parts), bias))
        if self.sums:
            return split.whole(dense(x, split.summands(kernel), split.gathered(bias)))
        return dense(x, split.gathered(kernel), split.gathered(bias))


def first_dense(of: Layers, *parts: int, name: str | None = None) -> Dense:
    """Makes the first of two dense layers, its features of parts."""
    return Dense(sum(parts), of.bias, _init(of, of.init_std), of.dtype, parts, name=name)


def second_dense(of: Layers, name: str | None = None) -> Dense:
    """Makes the second of two dense layers, which ends in the residual stream."""
    init = _init(of, of.init_std / (2 * of.num_layers) ** 0.5)
    return Dense(of.width, of.bias, init, of.dtype, sums=True, name=name)


def _init(of: Layers, std: float) -> Callable[..., jax.Array]:
    return nn.initializers.normal(std) if of.init_std else nn.initializers.xavier_uniform()
