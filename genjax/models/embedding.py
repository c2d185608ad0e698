"""Tokens and their places as vectors."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core import checks
from genjax.models.dense import Dropout
from genjax.ops.cross_entropy import token_logits

POSITIONS = ("learned", "sinusoidal", "rotary", "none")
_SMALL_VOCABULARY = 512
_SLOWEST = 10_000.0  # radians in a turn of the slowest sinusoid, over 2 pi


def lookup(table_VxD: jax.Array, ids: jax.Array) -> jax.Array:
    """Rows of a table: ids (…) to (…, D).

    From a small table by a matrix product with one-hot rows, as its gradient is then a product as
    well and no scatter-add, which is slow where few rows are hit often. The values are the same.
    """
    checks.floats("V D", table_VxD=table_VxD)
    if ids.size:  # a text of one token has no pairs of neighbors
        checks.integers("…", ids=ids)
    checks.indices("ids", ids, table_VxD.shape[0])
    size = table_VxD.shape[0]
    if size > _SMALL_VOCABULARY:
        return jnp.take(table_VxD, ids, axis=0)
    one_hot = jax.nn.one_hot(ids.reshape(-1), size, dtype=table_VxD.dtype)
    rows = jnp.matmul(one_hot, table_VxD, precision=jax.lax.Precision.HIGHEST)
    return rows.reshape(*ids.shape, -1)


def sinusoidal_positions(positions: jax.Array, width: int) -> jax.Array:
    """Sines and cosines of positions (…) at `width / 2` frequencies; (…, width), float32.

    Elements 2i and 2i + 1 are `sin` and `cos` of `position / 10000^(2i / width)`.
    Source: Vaswani et al. 2017 (Attention is all you need), section 3.5.

    Args:
      positions: int32.
      width: even.
    """
    angles = _angles(positions, width)
    return jnp.stack([jnp.sin(angles), jnp.cos(angles)], -1).reshape(*positions.shape, width)


def rotations(positions_BxT: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """Cosines and sines (B, T, size / 2), float32, by which `rotate` turns features."""
    angles = _angles(positions_BxT, size)
    return jnp.cos(angles), jnp.sin(angles)


def rotate(x_BxHxTxD: jax.Array, rope: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Features turned by angles that grow with their place, so that dot products tell distances.

    Element i of the first half and element i of the second half are the two coordinates that turn.
    Source: Su et al. 2021 (RoFormer), equation 34, with that pairing of coordinates.

    Args:
      x_BxHxTxD: queries or keys; D is even.
      rope: from `rotations`, of the same (B, T), of which B may be 1.
    """
    cos, sin = (a[:, None].astype(x_BxHxTxD.dtype) for a in rope)
    x, y = jnp.split(x_BxHxTxD, 2, -1)
    return jnp.concatenate([x * cos - y * sin, x * sin + y * cos], -1)


def _angles(positions: jax.Array, width: int) -> jax.Array:
    frequencies = jnp.exp(jnp.arange(width // 2) * (-2 * math.log(_SLOWEST) / width))
    return positions[..., None].astype(jnp.float32) * frequencies


class Embedding(nn.Module):
    """Tokens to vectors, their places added; and vectors to logits, by the same table.

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
        """(B, T, width). Positions, int32, count from 0 where none are given."""
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
        """(B, T, vocab_size), float32: the dot product with every token's vector."""
        return token_logits(hidden_BxTxD, self.tokens.T)
