"""The networks of text autoencoders: a sentence to a vector, and a vector to a sentence."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.models.dense import Dropout
from genjax.models.embedding import Embedding
from genjax.models.recurrent import Recurrent
from genjax.ops.recurrence import CELLS, Carry

_STD = 0.1  # of the words' first vectors


class SentenceEncoder(nn.Module):
    """A network from a sentence to a vector, then a linear layer.

    Attributes:
      network: tokens (B, T) to vectors (B, H), as those of `genjax.models.sentence`.
      out_shape: shape of the output for one sentence.
      dtype: of compute; the output is float32.
    """

    network: nn.Module
    out_shape: tuple[int, ...]
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x_BxT: jax.Array, *, train: bool = False) -> jax.Array:
        """Maps tokens (B, T), padded at the end, to (B, *out_shape)."""
        h_BxH = self.network(x_BxT, train=train)
        y = nn.Dense(math.prod(self.out_shape), dtype=self.dtype)(h_BxH)
        return y.reshape(len(x_BxT), *self.out_shape).astype(jnp.float32)


class SentenceDecoder(nn.Module):
    """A recurrent language model whose first state is made of a latent z, tanh(z W + b).

    Source: Dai and Le 2015 (Semi-supervised sequence learning), where that state is the encoder's
    last one; Bowman et al. 2016 (Generating sentences from a continuous space), section 3.

    Attributes:
      vocab_size: number of tokens.
      width: of a token's vector.
      recurrent: the network.
      every_step: z is an input beside each token as well.
    """

    vocab_size: int
    width: int
    recurrent: Recurrent
    every_step: bool = True

    def setup(self) -> None:
        """Declares the layers."""
        r = self.recurrent
        self.words = Embedding(self.vocab_size, self.width, std=_STD, dtype=r.dtype)
        self.first = nn.Dense(r.layers * CELLS[r.cell].states * r.hidden, dtype=r.dtype)
        self.dropout = Dropout(r.dropout, (1,) if r.variational else ())
        self.kernel = self.param(
            "kernel", nn.initializers.lecun_normal(), (r.hidden, self.vocab_size)
        )
        self.bias = self.param("bias", nn.initializers.zeros, (self.vocab_size,))

    def __call__(
        self, z_BxZ: jax.Array, inputs_BxT: jax.Array, carry: Any = None, *, train: bool = False
    ) -> tuple[jax.Array, tuple[Carry, ...]]:
        """Computes vectors (B, T, H) that predict the token after each input, and the last carry.

        The parameters `kernel` (H, V) and `bias` (V,) make logits of the vectors.

        Args:
          z_BxZ: latents.
          inputs_BxT: tokens, BOS first. No output depends on later ones than its own, so padding at
            the end needs no mask.
          carry: before the first of them; None: that of z.
          train: with dropout; needs a `dropout` PRNG key where a rate is above 0.
        """
        first = self._first_carry(z_BxZ)  # always, so that its parameters are there from `init` on
        x_BxTxD = self.words(inputs_BxT)
        if self.every_step:
            shape = (*inputs_BxT.shape, z_BxZ.shape[-1])
            z_BxTxZ = jnp.broadcast_to(z_BxZ[:, None], shape).astype(x_BxTxD.dtype)
            x_BxTxD = jnp.concatenate([x_BxTxD, z_BxTxZ], axis=-1)
        carry = first if carry is None else carry
        h_BxTxH, carry = self.recurrent(x_BxTxD, carry=carry, train=train)
        return self.dropout(h_BxTxH, train=train), carry

    def _first_carry(self, z_BxZ: jax.Array) -> tuple[Carry, ...]:
        r = self.recurrent
        states = CELLS[r.cell].states
        flat = jnp.tanh(self.first(z_BxZ).astype(jnp.float32))
        parts = jnp.split(flat, r.layers * states, axis=-1)
        return tuple(tuple(parts[i : i + states]) for i in range(0, len(parts), states))
