"""Sentences to vectors: a bag of words, a recurrent network, a Transformer, or any encoder pooled.

Each module maps tokens (B, T), int32, padded at their end, to vectors (B, D).
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core import checks, tokens
from genjax.models.dense import Dropout
from genjax.models.embedding import Embedding
from genjax.models.features import offer
from genjax.models.layers import Layers
from genjax.models.recurrent import Recurrent
from genjax.models.transformer import Stack
from genjax.ops.masks import padding_mask

POOLINGS = ("mean", "max", "last", "first")
_STD = 0.1  # of the words' first vectors
_MULTIPLIER = 2_654_435_761  # Knuth's: odd, and near 2^32 over the golden ratio


def pool(h_BxTxD: jax.Array, real_BxT: jax.Array, kind: str) -> jax.Array:
    """Computes the mean or maximum over a row's real places, (B, D); 0 for a row without any.

    Args:
      h_BxTxD: a vector for each place.
      real_BxT: 0 at padding.
      kind: `"mean"` or `"max"`.
    """
    sizes = checks.floats("B T D", h_BxTxD=h_BxTxD)
    checks.masks("B T", sizes, real_BxT=real_BxT)
    checks.chosen("kind", kind, ("mean", "max"))
    keep = real_BxT[..., None] > 0
    if kind == "mean":
        count_B = jnp.maximum(keep.sum(1), 1)
        return jnp.where(keep, h_BxTxD, 0).sum(1) / count_B.astype(h_BxTxD.dtype)
    least = jnp.finfo(h_BxTxD.dtype).min
    return jnp.where(keep.any(1), jnp.where(keep, h_BxTxD, least).max(1), 0)


class Bag(nn.Module):
    """The mean of the words' vectors, through dense layers (Iyyer et al. 2015, DAN).

    Attributes:
      vocab_size: number of words.
      width: of a word's vector.
      bigrams: rows of a table that pairs of neighbors are hashed into, whose vectors join those of
        words in the mean (Joulin et al. 2016, fastText); 0: none.
      hidden: width of the dense layers.
      num_layers: number of dense layers; may be 0.
      dropout: rate, of the mean and of each layer.
      dtype: of compute.
    """

    vocab_size: int
    width: int
    bigrams: int = 0
    hidden: int = 0
    num_layers: int = 0
    dropout: float = 0.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x_BxT: jax.Array, *, train: bool = False) -> jax.Array:
        """Tokens (B, T) to vectors (B, D)."""
        real_BxT = tokens.is_token(x_BxT)
        embed = Embedding(self.vocab_size, self.width, std=_STD, dtype=self.dtype, name="words")
        vectors, real = [embed(x_BxT)], [real_BxT]
        if self.bigrams:
            table = Embedding(self.bigrams, self.width, std=_STD, dtype=self.dtype, name="bigrams")
            vectors.append(table(_hashed_pairs(x_BxT, self.bigrams)))
            real.append(real_BxT[:, 1:])
        h = pool(jnp.concatenate(vectors, axis=1), jnp.concatenate(real, axis=1), "mean")
        h = Dropout(self.dropout)(h, train=train)
        for _ in range(self.num_layers):
            h = nn.relu(nn.Dense(self.hidden, dtype=self.dtype)(h))
            h = Dropout(self.dropout)(h, train=train)
            offer(self, h)
        return h


def _hashed_pairs(x_BxT: jax.Array, buckets: int) -> jax.Array:
    """Hashes each pair of neighbors to a number below `buckets`, int32 (B, T - 1)."""
    first, second = x_BxT[:, :-1].astype(jnp.uint32), x_BxT[:, 1:].astype(jnp.uint32)
    mixed = (first * jnp.uint32(_MULTIPLIER) + second) * jnp.uint32(_MULTIPLIER)
    hashed: jax.Array = (mixed >> 8) % jnp.uint32(buckets)
    return hashed.astype(jnp.int32)


class RecurrentEncoder(nn.Module):
    """A recurrent network over the words, its outputs pooled.

    Attributes:
      vocab_size: number of words.
      width: of a word's vector.
      recurrent: the network.
      pooling: of `POOLINGS`; `last`: the states after the last step of each direction.
    """

    vocab_size: int
    width: int
    recurrent: Recurrent
    pooling: str = "last"

    @nn.compact
    def __call__(self, x_BxT: jax.Array, *, train: bool = False) -> jax.Array:
        """Tokens (B, T) to vectors (B, H), 2H of both directions."""
        r = self.recurrent
        embed = Embedding(self.vocab_size, self.width, std=_STD, dtype=r.dtype, name="words")
        h_BxTxH, carry = r(embed(x_BxT), tokens.lengths(x_BxT), train=train)
        if self.pooling == "last":
            directions = carry[-2:] if r.bidirectional else carry[-1:]
            h_BxH = jnp.concatenate([states[0] for states in directions], axis=-1)
        else:
            h_BxH = pool(h_BxTxH, tokens.is_token(x_BxT), self.pooling)
        return Dropout(r.dropout)(h_BxH, train=train)


class TransformerEncoder(nn.Module):
    """A Transformer over the words, sinusoidal places added, its outputs pooled.

    Attributes:
      vocab_size: number of words.
      layers: the stack; its `width` is that of a word's vector.
      pooling: `mean` or `max`.
    """

    vocab_size: int
    layers: Layers
    pooling: str = "mean"

    @nn.compact
    def __call__(self, x_BxT: jax.Array, *, train: bool = False) -> jax.Array:
        """Tokens (B, T) to vectors (B, D)."""
        of = self.layers
        embed = Embedding(
            self.vocab_size,
            of.width,
            "sinusoidal",
            std=_STD,
            dropout=of.dropout,
            dtype=of.dtype,
            name="words",
        )
        h_BxTxD = Stack(of)(embed(x_BxT, train=train), padding_mask(x_BxT), train=train)
        h_BxD = pool(h_BxTxD, tokens.is_token(x_BxT), self.pooling)
        return Dropout(of.dropout)(h_BxD, train=train)


class Pooling(nn.Module):
    """One vector for a text, from those that an encoder has for its places.

    Attributes:
      kind: of `POOLINGS`: `mean` or `max` of the words' vectors, `last`, that of the last token, or
        `first`, that of BOS (Devlin et al. 2019).
      first: places in front of the words: 1, that of BOS, or 0.
      dropout: rate, of the vector.
    """

    kind: str
    first: int
    dropout: float = 0.0

    def setup(self) -> None:
        """Declares the parts."""
        self.last_drop = Dropout(self.dropout)

    def __call__(self, h_BxSxD: jax.Array, x_BxT: jax.Array, *, train: bool = False) -> jax.Array:
        """Vectors (B, first + T, D) of tokens (B, T) to (B, D)."""
        if self.kind == "first":
            h_BxD = h_BxSxD[:, 0]
        elif self.kind == "last":
            at_B = jnp.maximum(self.first + tokens.lengths(x_BxT) - 1, 0)
            h_BxD = jnp.take_along_axis(h_BxSxD, at_B[:, None, None], axis=1)[:, 0]
        else:
            h_BxD = pool(h_BxSxD[:, self.first :], tokens.is_token(x_BxT), self.kind)
        return self.last_drop(h_BxD, train=train)
