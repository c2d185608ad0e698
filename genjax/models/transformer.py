"""Transformers: a stack of equal layers, with or without a memory to attend to, and its cache.

One stack serves decoders (a causal mask), encoders (a mask of padding) and the decoders of
encoder-decoders (`cross`, with the encoder's output as memory). Source: Vaswani et al. 2017
(Attention is all you need); later sources stand where they are chosen.

Parameters of all layers are stacked, so that layers are scanned: one is compiled, and an optimizer
sees few arrays.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core import split
from genjax.models.dense import Dropout
from genjax.models.features import SOWN, asked, maps_asked, offer, offer_map, sown_weights
from genjax.models.layers import ACTIVATIONS, GATED, Layers, Norm, first_dense, second_dense
from genjax.ops.attention import multi_head_attention, write_cache
from genjax.ops.embedding import rotate, rotations
from genjax.ops.masks import Mask
from genjax.ops.masks import dense as dense_mask
from genjax.ops.platform import lowering

Cache = list[dict[str, jax.Array]]  # of each layer; every array has the batch as its first axis


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


class Attention(nn.Module):
    """Multi-head attention of a sequence to itself or, with `cross`, to a memory."""

    layers: Layers
    cross: bool = False

    def setup(self) -> None:
        """Declares the projections; those of one input are one."""
        of = self.layers
        key = value = of.groups * of.head_size
        if self.cross:
            self.query = first_dense(of, of.width)
            self.key_value = first_dense(of, key, value)
        else:
            self.query_key_value = first_dense(of, of.width, key, value)
        self.out = second_dense(of)
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
            gate, x = split.parts(first_dense(of, *both, name="up")(x), both, -1)
            x = ACTIVATIONS[GATED[of.activation]](gate) * x
        else:
            x = ACTIVATIONS[of.activation](first_dense(of, of.hidden, name="up")(x))
        return second_dense(of, name="down")(x)


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
