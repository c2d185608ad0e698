"""Tokens and their places as vectors."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.models.dense import Dropout
from genjax.ops.cross_entropy import token_logits
from genjax.ops.embedding import lookup, sinusoidal_positions

POSITIONS = ("learned", "sinusoidal", "rotary", "none")


class Embedding(nn.Module):
    """A table that turns tokens into vectors, to which their places are added, and back to logits.

    Attributes:
      vocab_size: number of tokens.
      width: of the vectors.
      positions: what is added: `"learned"` vectors, `"sinusoidal"` ones, or nothing.
      max_length: number of places, where learned.
      scale: multiplies the tokens' vectors; sqrt(width) in Vaswani et al. 2017, section 3.4.
      std: of the initial vectors.
      dropout: rate, of the sums.
      dtype: of the output; parameters are float32.
    """

    vocab_size: int
    width: int
    positions: str = "none"
    max_length: int = 0
    scale: float = 1.0
    std: float = 0.02
    dropout: float = 0.0
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Declares the tables."""
        draw = nn.initializers.normal(self.std)
        self.tokens = self.param("tokens", draw, (self.vocab_size, self.width))
        if self.positions == "learned":
            self.places = self.param("positions", draw, (self.max_length, self.width))
        self.drop = Dropout(self.dropout)

    def __call__(
        self, ids_BxT: jax.Array, positions_BxT: jax.Array | None = None, *, train: bool = False
    ) -> jax.Array:
        """Computes vectors (B, T, width); positions, int32, count from 0 where none are given."""
        x = self.scale * lookup(self.tokens, ids_BxT)
        if self.positions == "learned" and positions_BxT is not None:
            x += lookup(self.places, positions_BxT)
        elif self.positions == "learned":
            x += self.places[: ids_BxT.shape[1]]
        elif self.positions == "sinusoidal":
            if positions_BxT is None:
                positions_BxT = jnp.arange(ids_BxT.shape[1])[None]
            x += sinusoidal_positions(positions_BxT, self.width)
        return self.drop(x.astype(self.dtype), train=train)

    def logits(self, hidden_BxTxD: jax.Array) -> jax.Array:
        """Computes logits (B, T, vocab_size), float32: products with every token's vector."""
        return token_logits(hidden_BxTxD, self.tokens.T)
