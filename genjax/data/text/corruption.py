"""Corruption of sentences, for denoising autoencoders and for decoders that must not only copy.

These are pure functions of tokens and of uniform noise, which the caller draws for the global
batch. The end of a sentence (EOS) and its padding stay where they belong.
"""

import jax
import jax.numpy as jnp

from genjax.core import tokens


def hide_tokens(x_BxT: jax.Array, uniform_BxT: jax.Array, rate: float, other: int) -> jax.Array:
    """Replaces words by `other` at `rate`, but never BOS, EOS or padding.

    With MASK for `other` it is the noise of Devlin et al. 2019 (BERT) and Lewis et al. 2020 (BART,
    "token masking"); with UNK the word dropout of Bowman et al. 2016, section 3.1.

    Args:
      x_BxT: int32, padded at the end.
      uniform_BxT: noise in [0, 1).
      rate: probability.
      other: a token.
    """
    return jnp.where(_is_word(x_BxT) & (uniform_BxT < rate), other, x_BxT)


def drop_tokens(x_BxT: jax.Array, uniform_BxT: jax.Array, rate: float) -> jax.Array:
    """Leaves out words at `rate`, and moves up those that follow; int32 (B, T).

    Source: Hill et al. 2016 (Learning distributed representations of sentences from unlabeled
    data), section 2.2; Lample et al. 2018 (Unsupervised machine translation using monolingual
    corpora only), section 2.3.

    Args:
      x_BxT: int32, padded at the end.
      uniform_BxT: noise in [0, 1).
      rate: probability.
    """
    dropped_BxT = _is_word(x_BxT) & (uniform_BxT < rate)
    kept_BxT = jnp.where(dropped_BxT, tokens.PAD, x_BxT)
    order_BxT = jnp.argsort(dropped_BxT, axis=1, stable=True)
    return jnp.take_along_axis(kept_BxT, order_BxT, axis=1)


def swap_tokens(x_BxT: jax.Array, uniform_BxT: jax.Array, distance: int) -> jax.Array:
    """Brings words into another order, none further than `distance` places from where it was.

    The words are sorted by `place + (distance + 1) * uniform`. Source: Lample et al. 2018
    (Unsupervised machine translation using monolingual corpora only), section 2.3.

    Args:
      x_BxT: int32, padded at the end.
      uniform_BxT: noise in [0, 1).
      distance: 0 leaves all as it is.
    """
    length = x_BxT.shape[1]
    place_T = jnp.arange(length, dtype=jnp.float32)
    moved_BxT = place_T + (distance + 1) * uniform_BxT
    last_BxT = place_T + length + distance + 1  # others stay behind all words
    order_BxT = jnp.argsort(jnp.where(_is_word(x_BxT), moved_BxT, last_BxT), axis=1, stable=True)
    return jnp.take_along_axis(x_BxT, order_BxT, axis=1)


def corrupt_tokens(
    x_BxT: jax.Array,
    uniform_BxTx3: jax.Array,
    *,
    swap: int = 0,
    drop: float = 0.0,
    mask: float = 0.0,
) -> jax.Array:
    """Swaps words, then drops some, then masks some; int32 (B, T).

    Args:
      x_BxT: int32, padded at the end.
      uniform_BxTx3: noise in [0, 1).
      swap: see `swap_tokens`.
      drop, mask: rates, see `drop_tokens` and `hide_tokens`.
    """
    for_swap_BxT, for_drop_BxT, for_mask_BxT = jnp.moveaxis(uniform_BxTx3, -1, 0)
    if swap:
        x_BxT = swap_tokens(x_BxT, for_swap_BxT, swap)
    if drop:
        x_BxT = drop_tokens(x_BxT, for_drop_BxT, drop)
    if mask:
        x_BxT = hide_tokens(x_BxT, for_mask_BxT, mask, tokens.MASK)
    return x_BxT


def _is_word(x_BxT: jax.Array) -> jax.Array:
    """Marks words; a word without a token of its own (UNK) is one."""
    return (x_BxT >= tokens.NUM_SPECIALS) | (x_BxT == tokens.UNK)
