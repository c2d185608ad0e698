"""Masking for masked language models: which tokens are to be guessed, and what stands there."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core import tokens


class Masked(NamedTuple):
    """Rows of which some tokens are to be guessed.

    Attributes:
      inputs: int32 (B, T), what the model sees.
      positions: int32 (B, M), where it guesses, in ascending order; 0 where there is nothing.
      targets: int32 (B, M), what stood there; PAD where there is nothing.
    """

    inputs: jax.Array
    positions: jax.Array
    targets: jax.Array


def num_masked(length: int, rate: float) -> int:
    """M: the most tokens of a row of `length` that are guessed."""
    return max(1, round(rate * length))


def mask_tokens(
    x_BxT: jax.Array, uniform_BxTx3: jax.Array, *, vocab_size: int, rate: float = 0.15,
    word_parts: bytes = b"",
) -> Masked:  # fmt: skip
    """Hides a share of the tokens of each row, drawn anew at each call.

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
    which_BxT, how_BxT, other_BxT = jnp.moveaxis(uniform_BxTx3, -1, 0)
    real_BxT = x_BxT >= tokens.NUM_SPECIALS
    most = num_masked(x_BxT.shape[1], rate)
    count_B = jnp.clip(jnp.round(rate * real_BxT.sum(-1)).astype(jnp.int32), 1, most)
    count_B = jnp.minimum(count_B, real_BxT.sum(-1))
    if word_parts:
        chosen_BxT = _whole_words(x_BxT, real_BxT, which_BxT, count_B, most, word_parts)
    else:
        chosen_BxT = real_BxT & (_rank(jnp.where(real_BxT, which_BxT, 2.0)) < count_B[:, None])

    # A real token at random; the remainder of 2**24 values favours none by more than V / 2**24.
    others = vocab_size - tokens.NUM_SPECIALS
    other_BxT = tokens.NUM_SPECIALS + (other_BxT * others).astype(jnp.int32)
    shown_BxT = jnp.where(how_BxT < 0.9, jnp.minimum(other_BxT, vocab_size - 1), x_BxT)
    shown_BxT = jnp.where(how_BxT < 0.8, tokens.MASK, shown_BxT)
    inputs_BxT = jnp.where(chosen_BxT, shown_BxT, x_BxT)

    # Stable, so the chosen ones come first and in their order.
    positions_BxM = jnp.argsort(~chosen_BxT, axis=-1, stable=True)[:, :most].astype(jnp.int32)
    there_BxM = jnp.take_along_axis(chosen_BxT, positions_BxM, axis=1)
    targets_BxM = jnp.take_along_axis(x_BxT, positions_BxM, axis=1)
    return Masked(
        inputs_BxT, jnp.where(there_BxM, positions_BxM, 0),
        jnp.where(there_BxM, targets_BxM, tokens.PAD),
    )  # fmt: skip


def word_starts(x_BxT: jax.Array, word_parts: bytes) -> jax.Array:
    """True where a token begins a word, bool (B, T).

    A word goes on where one token ends with a letter or digit and the next begins with one.
    """
    parts_V = jnp.asarray(np.frombuffer(word_parts, np.uint8))[x_BxT]
    goes_on = (parts_V[:, 1:] & 1 > 0) & (parts_V[:, :-1] & 2 > 0)
    return jnp.pad(~goes_on, ((0, 0), (1, 0)), constant_values=True)


def _whole_words(
    x_BxT: jax.Array, real_BxT: jax.Array, which_BxT: jax.Array, count_B: jax.Array, most: int,
    word_parts: bytes,
) -> jax.Array:  # fmt: skip
    """True for the tokens of words that are taken in a random order, until one does not fit."""
    index_BxT = jnp.broadcast_to(jnp.arange(x_BxT.shape[1]), x_BxT.shape)
    starts_BxT = word_starts(x_BxT, word_parts)
    first_BxT = jax.lax.cummax(jnp.where(starts_BxT, index_BxT, 0), axis=1)
    size_BxT = jax.vmap(lambda first: jnp.zeros_like(first).at[first].add(1)[first])(first_BxT)
    # All tokens of a word have the number that its first one drew, so they follow each other.
    drawn_BxT = jnp.take_along_axis(which_BxT, first_BxT, axis=1)
    rank_BxT = _rank(jnp.where(real_BxT, drawn_BxT, 2.0))
    before_BxT = jnp.take_along_axis(rank_BxT, first_BxT, axis=1)
    fits_BxT = before_BxT + size_BxT <= count_B[:, None]
    return real_BxT & (fits_BxT | ((before_BxT == 0) & (size_BxT <= most)))


def _rank(x_BxT: jax.Array) -> jax.Array:
    """The place of each entry in the ascending order of its row."""
    return jnp.argsort(jnp.argsort(x_BxT, axis=-1, stable=True), axis=-1)
