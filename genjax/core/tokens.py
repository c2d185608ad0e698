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
