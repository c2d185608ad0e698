"""The words around each word of a text, as tiles: contexts without a gather for each pair.

A text of N words is cut into G tiles of T. The context of a tile's words lies in its halo, the tile
and `reach` words on both sides, so that all pairs of a tile are entries of one T x S matrix, with
S = T + 2 reach, under a mask; scores of pairs and their gradients are then matrix products.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from genjax.core.tokens import EOS, PAD
from genjax.ops.platform import lowering


class Words(NamedTuple):
    """A thinned text, all int32 (N,).

    Attributes:
      token: PAD where there is none.
      line: number of the line, different in each row of the batch; -1 where there is no word.
      reach: how far the word's context reaches to both sides; 0 where there is no word.
    """

    token: jax.Array
    line: jax.Array
    reach: jax.Array


def thin(
    x_BxL: jax.Array,
    uniform_BxL: jax.Array,
    keep_V: jax.Array,
    reach: int,
    capacity: int,
    *,
    dynamic: bool = True,
) -> Words:
    """Leaves out of rows of text the words that subsampling drops, and special tokens.

    The others move together to the front of each row before contexts are looked at (as in
    word2vec's program); words beyond `capacity` are dropped.

    Args:
      x_BxL: int32 tokens; EOS ends a line.
      uniform_BxL: in [0, 1), one number for each token.
      keep_V: chance of each word to stay; 0 for special tokens.
      reach: how far a context reaches at most.
      capacity: most words of a row, M; N = B * M.
      dynamic: each word's reach is drawn from 1 … reach; else it is `reach`.
    """
    rows, length = x_BxL.shape
    chance_BxL = keep_V[x_BxL]
    stays_BxL = uniform_BxL < chance_BxL
    rank_BxL = jnp.cumsum(stays_BxL, axis=1, dtype=jnp.int32)
    line_BxL = jnp.cumsum(x_BxL == EOS, axis=1, dtype=jnp.int32)
    line_BxL += (length + 1) * jnp.arange(rows, dtype=jnp.int32)[:, None]
    # Given that it is below the chance, uniform / chance is uniform again.
    reach_BxL = jnp.full(x_BxL.shape, reach, jnp.int32)
    if dynamic:
        part_BxL = uniform_BxL / jnp.maximum(chance_BxL, 1e-30)
        reach_BxL = jnp.minimum(1 + (reach * part_BxL).astype(jnp.int32), reach)
    wanted_M = jnp.arange(1, capacity + 1, dtype=jnp.int32)
    method = lowering("binary search")
    place_BxM = jax.vmap(lambda rank_L: jnp.searchsorted(rank_L, wanted_M, method=method))(rank_BxL)
    there_BxM = place_BxM < length

    def moved(v_BxL: jax.Array, absent: int) -> jax.Array:
        found = jnp.take_along_axis(v_BxL, jnp.minimum(place_BxM, length - 1), axis=1)
        return jnp.where(there_BxM, found, absent).reshape(-1)

    return Words(moved(x_BxL, PAD), moved(line_BxL, -1), moved(reach_BxL, 0))


def halo(x: jax.Array, tile: int, reach: int, fill: float = 0) -> jax.Array:
    """Cuts (N, …) into tiles with `reach` entries of their neighbors on both sides: (G, S, …).

    Args:
      x: N a multiple of T.
      tile: T, at least `reach`.
      reach: of the context.
      fill: beside the first and the last tile.
    """
    tiles = x.reshape(-1, tile, *x.shape[1:])
    edge = jnp.full((1, reach, *x.shape[1:]), fill, x.dtype)
    before = jnp.concatenate([edge, tiles[:-1, tile - reach :]])
    after = jnp.concatenate([tiles[1:, :reach], edge])
    return jnp.concatenate([before, tiles, after], axis=1)


def context_mask(words: Words, tile: int, reach: int) -> jax.Array:
    """Computes where a halo's word is in the context of a tile's word: 1.0, else 0; (G, T, S).

    That is, on the same line, within the reach of the tile's word, and not that word itself.
    """
    distance_TxS = jnp.abs(
        jnp.arange(tile)[:, None] + reach - jnp.arange(tile + 2 * reach)[None, :]
    )
    line_GxT, reach_GxT = words.line.reshape(-1, tile), words.reach.reshape(-1, tile)
    line_GxS = halo(words.line, tile, reach, -1)
    near_GxTxS = (distance_TxS <= reach_GxT[..., None]) & (distance_TxS > 0)
    return (near_GxTxS & (line_GxT[..., None] == line_GxS[:, None])).astype(jnp.float32)
