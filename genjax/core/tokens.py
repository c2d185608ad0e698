"""Tokens that every vocabulary has, whatever made it: their ids are the same everywhere.

Rows of different lengths are padded at their end with `PAD`, which never stands inside a text, so a
row's length can be read off it and nothing else need travel with it.
"""

import jax
import jax.numpy as jnp

PAD, UNK, BOS, EOS, MASK = range(5)
SPECIALS = ("<pad>", "<unk>", "<bos>", "<eos>", "<mask>")  # their names, by id
NUM_SPECIALS = len(SPECIALS)


def is_token(ids: jax.Array) -> jax.Array:
    """1.0 for tokens, 0.0 for padding; float32, of the shape of `ids`."""
    return (ids != PAD).astype(jnp.float32)


def lengths(ids_BxT: jax.Array) -> jax.Array:
    """Number of tokens of each row, int32 (B,)."""
    return (ids_BxT != PAD).sum(-1, dtype=jnp.int32)


def segments(ids_BxT: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Where texts begin and end in rows that hold several, each of which ends with EOS.

    A text that is cut has no EOS and a row of its own.

    Returns:
      The number of the text that a token belongs to, 1, 2, …, and the token's place in it, 0, 1, …;
      both int32 (B, T), and 0 at padding.
    """
    real_BxT, ends_BxT = ids_BxT != PAD, ids_BxT == EOS
    begins_BxT = jnp.pad(ends_BxT[:, :-1], ((0, 0), (1, 0)), constant_values=True)
    index_BxT = jnp.broadcast_to(jnp.arange(ids_BxT.shape[1], dtype=jnp.int32), ids_BxT.shape)
    first_BxT = jax.lax.cummax(jnp.where(begins_BxT, index_BxT, 0), axis=1)
    segment_BxT = jnp.cumsum(begins_BxT, axis=1, dtype=jnp.int32)
    return jnp.where(real_BxT, segment_BxT, 0), jnp.where(real_BxT, index_BxT - first_BxT, 0)
