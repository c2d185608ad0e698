"""BERT: a transformer that reads a text both ways, and its heads for hidden tokens and for pairs.

Source: Devlin et al. 2019 (BERT: Pre-training of deep bidirectional transformers). With
`norm_first=False` and learned places its parameters are, one for one, those of the paper's program.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core import tokens
from genjax.models.dense import Dropout
from genjax.models.embedding import Embedding
from genjax.models.layers import ACTIVATIONS, GATED, Dense, Layers, Norm
from genjax.models.transformer import Stack
from genjax.ops.cross_entropy import token_logits
from genjax.ops.masks import padding_mask


class Encoder(nn.Module):
    """A network from tokens to vectors, each of which depends on the whole text.

    Attributes:
      vocab_size: number of tokens.
      length: the most places of a text.
      layers: of the stack.
      positions: see `Embedding`; rotary ones are a setting of the layers.
      num_types: kinds of segments, each with a vector that is added to its tokens; 0: none.
    """

    vocab_size: int
    length: int
    layers: Layers
    positions: str = "learned"
    num_types: int = 0

    def setup(self) -> None:
        """Declares the parts."""
        of = self.layers
        std = of.init_std or of.width**-0.5
        self.embedding = Embedding(
            self.vocab_size, of.width, self.positions, self.length, std=std, dtype=of.dtype
        )
        if self.num_types:
            draw = nn.initializers.normal(std)
            self.types = self.param("types", draw, (self.num_types, of.width))
        self.embedding_norm = Norm(of)
        self.drop = Dropout(of.dropout)
        self.stack = Stack(of)

    def __call__(
        self, ids_BxT: jax.Array, types_BxT: jax.Array | None = None, *, train: bool = False
    ) -> jax.Array:
        """Computes vectors (B, T, D); padding has no effect on others, its own mean nothing.

        Args:
          ids_BxT: int32, padded.
          types_BxT: int32, the kind of each token's segment; None: 0.
          train: applies dropout, which needs a PRNG key `dropout`.
        """
        x = self.embedding(ids_BxT)
        if self.num_types:
            types_BxT = jnp.zeros_like(ids_BxT) if types_BxT is None else types_BxT
            one_hot = jax.nn.one_hot(types_BxT, self.num_types, dtype=x.dtype)
            x = x + one_hot @ self.types.astype(x.dtype)
        x = self.drop(self.embedding_norm(x), train=train)
        return self.stack(x, padding_mask(ids_BxT), train=train)


class Heads(nn.Module):
    """Heads of the encoder: which token stands at a place, and whether one text follows another.

    Attributes:
      vocab_size: number of tokens.
      layers: of the encoder, whose width, activation and norm the heads have.
      pairs: whether there is the second head.
    """

    vocab_size: int
    layers: Layers
    pairs: bool = False

    def setup(self) -> None:
        """Declares the parts; the output's weights are the encoder's table of tokens."""
        of = self.layers
        init = nn.initializers.normal(of.init_std or of.width**-0.5)
        self.transform, self.norm = Dense(of.width, True, init, of.dtype), Norm(of)
        self.bias = self.param("bias", nn.initializers.zeros_init(), (self.vocab_size,))
        if self.pairs:
            self.pooler, self.follows = Dense(of.width, True, init, of.dtype), nn.Dense(1)

    def __call__(self, h_BxMxD: jax.Array, table_VxD: jax.Array) -> jax.Array:
        """Computes logits (B, M, V), float32, of the tokens at M places, from the vectors there."""
        of = self.layers.activation
        activation = ACTIVATIONS[GATED.get(of, of)]
        return token_logits(self.norm(activation(self.transform(h_BxMxD))), table_VxD.T, self.bias)

    def next_sentence(self, h_BxTxD: jax.Array) -> jax.Array:
        """Computes logits (B,), float32, that the second text follows, from the first place."""
        pooled_BxD = jnp.tanh(self.pooler(h_BxTxD[:, 0]))
        return jnp.asarray(self.follows(pooled_BxD)[:, 0], jnp.float32)


def one_text(x_BxT: jax.Array) -> jax.Array:
    """Puts BOS in front of each row, (B, T + 1): the place that pairs are classified at."""
    return jnp.pad(x_BxT, ((0, 0), (1, 0)), constant_values=tokens.BOS)


def two_texts(a_BxN: jax.Array, b_BxM: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Makes BOS a EOS b EOS, (B, N + M + 3), and the types: 0 up to the first EOS, then 1."""
    batch = len(a_BxN)
    begin, end = jnp.full((batch, 1), tokens.BOS), jnp.full((batch, 1), tokens.EOS)
    ids = jnp.concatenate([begin, a_BxN, end, b_BxM, end], axis=1)
    return ids, jnp.broadcast_to(jnp.arange(ids.shape[1]) > a_BxN.shape[1] + 1, ids.shape).astype(
        jnp.int32
    )
