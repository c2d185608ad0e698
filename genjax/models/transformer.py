"""Transformers: a stack of equal layers, with or without a memory to attend to, and its cache.

One stack serves decoders (a causal mask), encoders (a mask of padding) and the decoders of
encoder-decoders (`cross`, with the encoder's output as memory). Source: Vaswani et al. 2017
(Attention is all you need); later sources stand where they are chosen.

Parameters of all layers are stacked, so that layers are scanned: one is compiled, and an optimizer
sees few arrays.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core import split
from genjax.models.dense import Dropout
from genjax.models.features import SOWN, asked, maps_asked, offer, offer_map, sown_weights
from genjax.ops.attention import multi_head_attention, write_cache
from genjax.ops.embedding import rotate, rotations
from genjax.ops.masks import Mask
from genjax.ops.masks import dense as dense_mask
from genjax.ops.norm import normalize
from genjax.ops.platform import lowering
from genjax.ops.precision import at_least_float32, dense, gelu

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": nn.relu,
    "gelu": gelu,
    "gelu_tanh": lambda x: nn.gelu(x, approximate=True),
    "silu": nn.silu,
}
GATED = {"swiglu": "silu", "geglu": "gelu"}  # Shazeer 2020 (GLU variants improve Transformer)
NORMS = ("layer", "rms")

Cache = list[dict[str, jax.Array]]  # of each layer; every array has the batch as its first axis


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


class AttentionContext(NamedTuple):
    """What the places of a sequence may see, the same in all layers.

    Attributes:
      mask: (B, Q, K), of the sequence itself (or of its cache); see `genjax.ops.masks`.
      rope: of `rotations`, where rotary.
      memory: (B, M, D), which `cross` layers attend to.
      memory_mask: (B, 1, M).
      slot_B: int32, the first place of each row of the cache that is written.
    """

    mask: jax.Array | Mask | None = None
    rope: tuple[jax.Array, jax.Array] | None = None
    memory: Any = None
    memory_mask: Any = None
    slot_B: Any = None


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


class Attention(nn.Module):
    """Multi-head attention of a sequence to itself or, with `cross`, to a memory."""

    layers: Layers
    cross: bool = False

    def setup(self) -> None:
        """Declares the projections; those of one input are one."""
        of = self.layers
        key = value = of.groups * of.head_size
        if self.cross:
            self.query = _first(of, of.width)
            self.key_value = _first(of, key, value)
        else:
            self.query_key_value = _first(of, of.width, key, value)
        self.out = _second(of)
        self.drop = Dropout(of.dropout)

    def __call__(
        self,
        x_BxQxD: jax.Array,
        context: AttentionContext,
        cache: Any = None,
        *,
        train: bool = False,
    ) -> tuple[jax.Array, Any]:
        """Returns (B, Q, D), and the cache, if any, with the keys and values of `x`."""
        of = self.layers
        if self.cross:
            query, mask = self._heads(self.query(x_BxQxD)), context.memory_mask
            memory = self.remember(context.memory) if cache is None else cache
            key, value = memory["memory_key"], memory["memory_value"]
        else:
            heads, mask = self._heads(self.query_key_value(x_BxQxD)), context.mask
            query_key, value = split.parts(heads, (of.num_heads + of.groups, of.groups), 1)
            if context.rope is not None:
                query_key = rotate(query_key, context.rope)
            query, key = split.parts(query_key, (of.num_heads, of.groups), 1)
            if cache is not None:
                key = write_cache(cache["key"], key, context.slot_B)
                value = write_cache(cache["value"], value, context.slot_B)
                cache = cache | {"key": key, "value": value}

        def on_weights(weights: jax.Array) -> jax.Array:
            self.sow(*SOWN, "weights", weights)
            return self.drop(weights, train=train)

        wanted = asked(self) or (train and of.dropout > 0)
        answers = multi_head_attention(
            query, key, value, mask, on_weights=on_weights if wanted else None
        )
        return self.out(answers.swapaxes(1, 2).reshape(x_BxQxD.shape)), cache

    def remember(self, memory_BxMxD: jax.Array) -> dict[str, jax.Array]:
        """Computes keys and values (B, G, M, size) of a memory, the same for all queries."""
        groups = self.layers.groups
        heads = self._heads(self.key_value(memory_BxMxD))
        key, value = split.parts(heads, (groups, groups), 1)
        return {"memory_key": key, "memory_value": value}

    def _heads(self, x: jax.Array) -> jax.Array:
        """Turns (B, T, N * size) into (B, N, T, size)."""
        return x.reshape(*x.shape[:2], -1, self.layers.head_size).swapaxes(1, 2)


class FeedForward(nn.Module):
    """Two dense layers with an activation, each place by itself."""

    layers: Layers

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps (B, T, D) to (B, T, D)."""
        of = self.layers
        if of.activation in GATED:
            both = of.hidden, of.hidden
            gate, x = split.parts(_first(of, *both, name="up")(x), both, -1)
            x = ACTIVATIONS[GATED[of.activation]](gate) * x
        else:
            x = ACTIVATIONS[of.activation](_first(of, of.hidden, name="up")(x))
        return _second(of, name="down")(x)


class Layer(nn.Module):
    """Attention to the sequence, to the memory if any, and feed-forward, each added to x."""

    layers: Layers
    cross: bool = False

    def setup(self) -> None:
        """Declares the parts."""
        of = self.layers
        self.attention, self.attention_norm = Attention(of), Norm(of)
        if self.cross:
            self.cross_attention, self.cross_norm = Attention(of, cross=True), Norm(of)
        self.feed_forward, self.feed_forward_norm = FeedForward(of), Norm(of)
        self.drop = Dropout(of.dropout)

    def __call__(
        self, x: jax.Array, context: AttentionContext, cache: Any = None, *, train: bool = False
    ) -> tuple[jax.Array, Any]:
        """Maps (B, Q, D) to (B, Q, D); also returns the cache, if any, after it."""

        def beside(x: jax.Array, norm: nn.Module, part: Callable[[jax.Array], jax.Array]) -> Any:
            if self.layers.norm_first:
                return x + self.drop(part(norm(x)), train=train)
            return norm(x + self.drop(part(x), train=train))

        def attend(x: jax.Array) -> jax.Array:
            nonlocal cache
            y, cache = self.attention(x, context, cache, train=train)
            return y

        def attend_to_memory(x: jax.Array) -> Any:
            return self.cross_attention(x, context, cache, train=train)[0]

        x = beside(x, self.attention_norm, attend)
        if self.cross:
            x = beside(x, self.cross_norm, attend_to_memory)
        return beside(x, self.feed_forward_norm, self.feed_forward), cache

    def remember(self, memory_BxMxD: jax.Array) -> dict[str, jax.Array]:
        """Computes the part of the cache that holds the memory."""
        return self.cross_attention.remember(memory_BxMxD)


class Stack(nn.Module):
    """All layers, one after another; with `cross` they attend to a memory as well."""

    layers: Layers
    cross: bool = False

    def setup(self) -> None:
        """Declares the stacked parameters of the layers, and the last norm."""
        of = self.layers
        x = jnp.zeros((1, 1, of.width))

        def init(key: jax.Array) -> Any:
            return self._layer.init(key, x, AttentionContext(memory=x))["params"]

        self.stacked = self.param(
            split.LAYERS, lambda key: jax.vmap(init)(jax.random.split(key, of.num_layers))
        )
        if of.norm_first:
            self.norm = Norm(of)

    def __call__(
        self,
        x_BxTxD: jax.Array,
        mask: jax.Array | Mask | None = None,
        *,
        positions_BxT: jax.Array | None = None,
        memory_BxMxD: jax.Array | None = None,
        memory_mask: jax.Array | Mask | None = None,
        train: bool = False,
    ) -> jax.Array:
        """Takes a whole sequence through the layers, (B, T, D).

        Args:
          x_BxTxD: embedded tokens.
          mask: (B, T, T), what each place may see; None: all.
          positions_BxT: int32, B may be 1; None: counted from 0.
          memory_BxMxD, memory_mask: what `cross` layers attend to, and (B, 1, M) where they may.
          train: applies dropout, which needs a PRNG key `dropout`.
        """
        of = self.layers
        if positions_BxT is None:
            positions_BxT = jnp.arange(x_BxTxD.shape[1])[None]
        random = train and of.dropout > 0
        if random or maps_asked(self) or lowering("attention") == "plain":
            mask, memory_mask = dense_mask(mask), dense_mask(memory_mask)  # once for all layers
        context = AttentionContext(mask, self._rope(positions_BxT), memory_BxMxD, memory_mask)
        keys = jax.random.split(self.make_rng("dropout"), of.num_layers) if random else None

        def one(x: jax.Array, of_layer: Any) -> Any:
            params, key = of_layer
            x = split.whole(split.rows(x))
            rngs = {"dropout": key} if random else {}
            options = {"train": train, "rngs": rngs, "mutable": SOWN if maps_asked(self) else False}
            found = self._layer.apply({"params": params}, x, context, **options)
            (x, _), kept = found if maps_asked(self) else (found, None)
            return x, (x if asked(self) else None, kept and sown_weights(kept, "attention"))

        if of.remat:
            one = jax.checkpoint(one, prevent_cse=not of.scan)
        unroll = 1 if of.scan else of.num_layers
        x, (each, maps) = jax.lax.scan(one, x_BxTxD, (self.stacked, keys), unroll=unroll)
        x = self._last(x)
        if each is not None:  # the last layer's as it is read
            for h in (*each[:-1], x):
                offer(self, h)
        for weights in () if maps is None else maps:
            offer_map(self, weights)
        return x

    def extend(
        self,
        x_BxQxD: jax.Array,
        cache: Cache,
        past_B: jax.Array,
        memory_mask: jax.Array | Mask | None = None,
    ) -> tuple[jax.Array, Cache]:
        """Takes the next Q places of sequences whose past is in `cache` through the layers.

        Args:
          x_BxQxD: embedded tokens.
          cache: of `new_cache`; places `past` … `past + Q - 1` of each row are written. What stands
            behind them is masked, and may be written over.
          past_B: int32, places of each row that are in the cache.
          memory_mask: (B, 1, M).
        """
        place_BxQ = past_B[:, None] + jnp.arange(x_BxQxD.shape[1])
        mask = jnp.arange(cache[0]["key"].shape[2]) <= place_BxQ[..., None]
        context = AttentionContext(mask, self._rope(place_BxQ), None, memory_mask, past_B)
        x, new = x_BxQxD, []
        for i, kept in enumerate(cache):  # written out: each layer writes into buffers of its own
            x, kept = self._layer.apply({"params": self._params(i)}, x, context, kept)
            new.append(kept)
        return self._last(x), new

    def new_cache(
        self, batch_size: int, length: int, memory_BxMxD: jax.Array | None = None
    ) -> Cache:
        """Makes empty buffers for `length` places, and the keys and values of a memory if any."""
        of = self.layers
        buffer = jnp.zeros((batch_size, of.groups, length, of.head_size), of.dtype)
        cache: Cache = [{"key": buffer, "value": buffer} for _ in range(of.num_layers)]
        if memory_BxMxD is None:
            return cache
        return [
            kept | self._layer.apply({"params": self._params(i)}, memory_BxMxD, method="remember")
            for i, kept in enumerate(cache)
        ]

    def memory_weights(
        self, x_BxTxD: jax.Array, mask: Any, memory_BxMxD: jax.Array, memory_mask: Any
    ) -> jax.Array:
        """Computes the weights of `cross` layers over the memory, (L, B, H, T, M)."""
        positions_BxT = jnp.arange(x_BxTxD.shape[1])[None]
        context = AttentionContext(mask, self._rope(positions_BxT), memory_BxMxD, memory_mask)
        x, found = x_BxTxD, []
        for i in range(self.layers.num_layers):
            (x, _), kept = self._layer.apply({"params": self._params(i)}, x, context, mutable=SOWN)
            found.append(sown_weights(kept, "cross_attention"))
        return jnp.stack(found)

    @property
    def _layer(self) -> Any:
        """A layer without parameters, to apply to a part of `stacked`."""
        return Layer(self.layers, self.cross, parent=None)

    def _params(self, i: int) -> Any:
        return jax.tree.map(lambda p: p[i], self.stacked)

    def _rope(self, positions_BxT: jax.Array) -> Any:
        return rotations(positions_BxT, self.layers.head_size) if self.layers.rotary else None

    def _last(self, x: jax.Array) -> jax.Array:
        return self.norm(x) if self.layers.norm_first else x


def _first(of: Layers, *parts: int, name: str | None = None) -> Dense:
    """Makes the first of two dense layers, its features of parts."""
    return Dense(sum(parts), of.bias, _init(of, of.init_std), of.dtype, parts, name=name)


def _second(of: Layers, name: str | None = None) -> Dense:
    """Makes the second of two dense layers, which ends in the residual stream."""
    init = _init(of, of.init_std / (2 * of.num_layers) ** 0.5)
    return Dense(of.width, of.bias, init, of.dtype, sums=True, name=name)


def _init(of: Layers, std: float) -> Callable[..., jax.Array]:
    return nn.initializers.normal(std) if of.init_std else nn.initializers.xavier_uniform()
