"""Vectors of words from their characters."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.models.embedding import Embedding


class CharacterCNN(nn.Module):
    """Convolutions over a word's characters, then the maximum of each filter over the word.

    Source: dos Santos and Zadrozny 2014; Kim et al. 2016 (Character-aware neural language models)
    for several widths and for highway layers, y = t ∘ relu(x W + b) + (1 - t) ∘ x with
    t = σ(x W_t + b_t). Filters end in a ReLU, so that padding, 0, is never the maximum, and a word
    without characters has the vector 0 in front of the highway layers.

    Attributes:
      vocab_size: number of characters, id 0 being padding.
      embed_dim: width of a character's vector.
      filters: (width, number) pairs; a filter of width w sees w characters.
      highway: number of highway layers.
      dtype: of compute; parameters are float32.
    """

    vocab_size: int
    embed_dim: int
    filters: Sequence[tuple[int, int]]
    highway: int = 0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, chars: jax.Array) -> jax.Array:
        """Maps characters (…, C), int32, padded at the end by 0, to vectors (…, sum of numbers)."""
        real = (chars != 0)[..., None]
        table = Embedding(
            self.vocab_size,
            self.embed_dim,
            std=self.embed_dim**-0.5,
            dtype=self.dtype,
            name="embedding",
        )
        x = jnp.where(real, table(chars), 0)
        found = []
        for width, number in self.filters:
            y = nn.Dense(number, dtype=self.dtype, name=f"width_{width}")(_windows(x, width))
            found.append(jnp.where(real, nn.relu(y), 0).max(axis=-2))
        y = jnp.concatenate(found, axis=-1)
        for _ in range(self.highway):
            features = y.shape[-1]
            # At first most is carried through: a bias of -2, as Srivastava et al. 2015 advise.
            carry_first = nn.initializers.constant(-2.0)
            gate = nn.sigmoid(nn.Dense(features, dtype=self.dtype, bias_init=carry_first)(y))
            y = gate * nn.relu(nn.Dense(features, dtype=self.dtype)(y)) + (1 - gate) * y
        return y


def _windows(x: jax.Array, width: int) -> jax.Array:
    """Puts beside each position its neighbors, zeros beyond the ends: (…, C, width * D)."""
    steps, before = x.shape[-2], (width - 1) // 2
    around = [(0, 0)] * (x.ndim - 2) + [(before, width - 1 - before), (0, 0)]
    padded = jnp.pad(x, around)
    return jnp.concatenate([padded[..., i : i + steps, :] for i in range(width)], axis=-1)
