"""Masking for masked language models: the tokens to guess, and what stands in their places."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core import tokens


class Masked(NamedTuple):
    """Rows with some tokens to guess.

    Attributes:
      inputs: int32 (B, T), for the model to read.
      positions: int32 (B, M), of the tokens to guess, in no order; 0 where there are fewer.
      targets: int32 (B, M), the tokens to guess; PAD where there are fewer.
    """

    inputs: jax.Array
    positions: jax.Array
    targets: jax.Array


def num_masked(length: int, rate: float) -> int:
    """Computes M, the most tokens to guess of a row of `length`."""
    return max(1, round(rate * length))


def mask_tokens(
    x_BxT: jax.Array,
    uniform_BxTx3: jax.Array,
    *,
    vocab_size: int,
    rate: float = 0.15,
    word_parts: bytes = b"",
) -> Masked:
    """Hides a share of the tokens of each row.

    Of a row's n real tokens `round(rate * n)`, at least one, are to be guessed; special tokens
    never are. Of these 80 % become MASK, 10 % any token but a special one, 10 % stay, each token
    by itself. A row without real tokens has no targets.

    With `word_parts` all tokens of a word are guessed together or not at all: words are taken in a
    random order until one does not fit into that number; the first is taken if it has at most M.

    Source: Devlin et al. 2019 (BERT), section 3.1; whole words as in the program's later release.

    Args:
      x_BxT: int32, padded at the end.
      uniform_BxTx3: noise in [0, 1), drawn for the global batch.
      vocab_size: V, special tokens included.
      rate: share of tokens to guess.
      word_parts: V bytes, `DataSpec.word_parts`; empty: tokens are taken one by one.
    """
    real_BxT = x_BxT >= tokens.NUM_SPECIALS
    most = num_masked(x_BxT.shape[1], rate)
    count_B = jnp.clip(jnp.round(rate * real_BxT.sum(-1)).astype(jnp.int32), 1, most)
    drawn_BxT = jnp.where(real_BxT, uniform_BxTx3[..., 0], 2.0)
    if word_parts:
        drawn_BxT = _whole_words(x_BxT, drawn_BxT, count_B, most, word_parts)
        count_B = (drawn_BxT < 1).sum(-1)
    # The tokens of the smallest numbers are to be guessed: M of them, of which `count` are there.
    score_BxM, position_BxM = jax.lax.top_k(-drawn_BxT, most)
    there_BxM = (jnp.arange(most) < count_B[:, None]) & (score_BxM > -1)

    old_BxM = jnp.take_along_axis(x_BxT, position_BxM, axis=1)
    how_BxMx2 = jnp.take_along_axis(uniform_BxTx3[..., 1:], position_BxM[..., None], axis=1)
    # A real token at random; of 2**23 numbers none is favored by more than V in 2**23.
    others = vocab_size - tokens.NUM_SPECIALS
    other_BxM = tokens.NUM_SPECIALS + (how_BxMx2[..., 1] * others).astype(jnp.int32)
    shown_BxM = jnp.where(how_BxMx2[..., 0] < 0.9, jnp.minimum(other_BxM, vocab_size - 1), old_BxM)
    shown_BxM = jnp.where(how_BxMx2[..., 0] < 0.8, tokens.MASK, shown_BxM)
    shown_BxM = jnp.where(there_BxM, shown_BxM, old_BxM)
    inputs_BxT = jax.vmap(lambda row, at, new: row.at[at].set(new))(x_BxT, position_BxM, shown_BxM)
    return Masked(
        inputs_BxT,
        jnp.where(there_BxM, position_BxM, 0),
        jnp.where(there_BxM, old_BxM, tokens.PAD),
    )


def word_starts(x_BxT: jax.Array, word_parts: bytes) -> jax.Array:
    """Finds where a token begins a word, bool (B, T).

    A word goes on where one token ends with a letter or digit and the next begins with one.
    """
    parts_V = jnp.asarray(np.frombuffer(word_parts, np.uint8))[x_BxT]
    goes_on = (parts_V[:, 1:] & 1 > 0) & (parts_V[:, :-1] & 2 > 0)
    return jnp.pad(~goes_on, ((0, 0), (1, 0)), constant_values=True)


def _whole_words(
    x_BxT: jax.Array, drawn_BxT: jax.Array, count_B: jax.Array, most: int, word_parts: bytes
) -> jax.Array:
    """Gives the tokens of words that are taken the number that their word drew, and others 2.

    Words are taken in the order of the numbers of their first tokens, until one does not fit.
    """
    real_BxT = drawn_BxT < 1
    index_BxT = jnp.broadcast_to(jnp.arange(x_BxT.shape[1]), x_BxT.shape)
    first_BxT = jax.lax.cummax(jnp.where(word_starts(x_BxT, word_parts), index_BxT, 0), axis=1)
    drawn_BxT = jnp.take_along_axis(drawn_BxT, first_BxT, axis=1)
    # How many tokens stand in the words that drew less, and in those and this one.
    before_BxT = (drawn_BxT[:, None, :] < drawn_BxT[..., None]).sum(-1)
    until_BxT = (drawn_BxT[:, None, :] <= drawn_BxT[..., None]).sum(-1)
    fits_BxT = (until_BxT <= count_B[:, None]) | ((before_BxT == 0) & (until_BxT <= most))
    return jnp.where(real_BxT & fits_BxT, drawn_BxT, 2.0)
