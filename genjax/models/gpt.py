"""GPT's network: a decoder-only transformer, and the same as a reader of whole texts.

Source: Radford et al. 2019 (Language models are unsupervised multitask learners).
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.models.embedding import Embedding
from genjax.models.layers import Layers
from genjax.models.transformer import Cache, Stack
from genjax.ops.masks import causal_mask


class Network(nn.Module):
    """Maps tokens to vectors that predict the next ones; `kernel` makes logits of these.

    Attributes:
      vocab_size: number of tokens.
      length: the most places of a text.
      layers: of the stack.
      positions: see `Embedding`; rotary ones are the layers' own.
      tie_embeddings: the vectors of the tokens are the output's weights too.
    """

    vocab_size: int
    length: int
    layers: Layers
    positions: str
    tie_embeddings: bool

    def setup(self) -> None:
        """Declares the parts."""
        of = self.layers
        std = of.init_std or of.width**-0.5
        self.embedding = Embedding(
            self.vocab_size,
            of.width,
            self.positions,
            self.length,
            std=std,
            dropout=of.dropout,
            dtype=of.dtype,
        )
        self.stack = Stack(of)
        if not self.tie_embeddings:
            shape = (of.width, self.vocab_size)
            self.head = self.param("head", nn.initializers.normal(std), shape)

    def __call__(
        self, ids_BxT: jax.Array, mask: Any, positions_BxT: Any = None, *, train: bool = False
    ) -> jax.Array:
        """Computes (B, T, D) of whole texts."""
        x = self.embedding(ids_BxT, positions_BxT, train=train)
        return self.stack(x, mask, positions_BxT=positions_BxT, train=train)

    def extend(
        self, ids_BxQ: jax.Array, cache: Cache, past_B: jax.Array
    ) -> tuple[jax.Array, Cache]:
        """Computes (B, Q, D) of the Q tokens behind the `past` ones that are in `cache`."""
        places_BxQ = past_B[:, None] + jnp.arange(ids_BxQ.shape[1])
        return self.stack.extend(self.embedding(ids_BxQ, places_BxQ), cache, past_B)

    def new_cache(self, batch_size: int) -> Cache:
        """Makes an empty cache for `length` places."""
        return self.stack.new_cache(batch_size, self.length)

    def kernel(self) -> jax.Array:
        """Returns the weights (D, V) of the logits."""
        return self.embedding.tokens.T if self.tie_embeddings else self.head


class CausalEncoder(nn.Module):
    """The network as an encoder: vectors of tokens, each of which depends on those before it.

    Its parameters are those of `network`, so that trained ones can be taken over.
    """

    network: Network

    def setup(self) -> None:
        """Declares the parts."""
        nn.share_scope(self, self.network)

    def __call__(self, ids_BxT: jax.Array, *, train: bool = False) -> jax.Array:
        """Computes vectors (B, T, D); padding behind a text has no effect on it."""
        h_BxTxD: jax.Array = self.network(ids_BxT, causal_mask(ids_BxT.shape[1]), train=train)
        return h_BxTxD
