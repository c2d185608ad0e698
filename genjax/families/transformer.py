"""The Transformer: an encoder and a decoder made of attention, as in the paper.

    p(y | x) = prod_t softmax(E d_t)[y_t],   d = decoder(y_1 … y_{t-1}, encoder(x))

Source: Vaswani et al. 2017 (Attention is all you need), with sinusoidal positions, label smoothing
and the inverse square root schedule; norms behind each sum as there, or in front (`norm_first`).
Its one table for source, target and output needs one vocabulary for both languages; here the source
has its own, and `tie_embeddings` joins the other two.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from genjax.core.config import Optimizer
from genjax.core.family import DataSpec
from genjax.core.fields import field, read, subsection
from genjax.families._pairs import AttendingPairs, Loss, PairConfig, pair_fields
from genjax.families._transformers import LayerFields, make_layers
from genjax.models.embedding import Embedding
from genjax.models.transformer import Layers, Stack
from genjax.ops.attention import causal_mask, padding_mask


@dataclass(frozen=True)
class Model(LayerFields):
    """The section `model`."""

    tie_embeddings: bool = field(True, "the target's vectors are the output's weights too")


@dataclass(frozen=True)
class Config(PairConfig):
    """Every field of the family, with defaults for `reverse`."""

    family: str = "transformer"
    optimizer: Optimizer = subsection(
        Optimizer, b2=0.98, eps=1e-9, schedule="inverse_sqrt", warmup_steps=1000
    )
    loss: Loss = subsection(Loss, label_smoothing=0.1)
    model: Model = subsection(
        Model,
        num_layers=2,
        num_heads=4,
        width=128,
        activation="relu",
        norm_first=False,
        positions="sinusoidal",
        dropout=0.1,
        init_std=0.0,
    )


default_config = Config.defaults


class Network(nn.Module):
    """Maps a source and the known part of a target to vectors that predict the next token.

    Attributes:
      vocab_size: tokens of the source.
      target_vocab_size: tokens of the target.
      lengths: the most places of source and target.
      layers: of both stacks.
      positions: see `Embedding`; rotary ones are the layers' own.
      tie_embeddings: the target's vectors are the output's weights too.
    """

    vocab_size: int
    target_vocab_size: int
    lengths: tuple[int, int]
    layers: Layers
    positions: str
    tie_embeddings: bool

    def setup(self) -> None:
        """Declares the parts."""
        of, (source_length, target_length) = self.layers, self.lengths
        embed: dict[str, Any] = {
            "width": of.width,
            "positions": self.positions,
            "scale": of.width**0.5,
            "std": of.width**-0.5,
            "dropout": of.dropout,
            "dtype": of.dtype,
        }
        self.source = Embedding(self.vocab_size, max_length=source_length, **embed)
        self.target = Embedding(self.target_vocab_size, max_length=target_length, **embed)
        self.encoder, self.decoder = Stack(of), Stack(of, cross=True)
        if not self.tie_embeddings:
            init = nn.initializers.normal(of.width**-0.5)
            self.kernel = self.param("kernel", init, (of.width, self.target_vocab_size))

    def __call__(
        self, x_BxS: jax.Array, inputs_BxU: jax.Array, *, train: bool = False
    ) -> jax.Array:
        """Computes vectors (B, U, D) that predict what follows each of the inputs."""
        memory = self._encode(x_BxS, train=train)
        return self.decoder(
            self.target(inputs_BxU, train=train),
            causal_mask(inputs_BxU.shape[1]),
            memory_BxMxD=memory,
            memory_mask=padding_mask(x_BxS),
            train=train,
        )

    def head(self) -> tuple[jax.Array, None]:
        """Returns the output's weights (D, V); there are no biases."""
        return self.target.tokens.T if self.tie_embeddings else self.kernel, None

    def begin(self, x_BxS: jax.Array, length: int) -> dict[str, Any]:
        """Makes the cache before the first of at most `length` tokens."""
        layers = self.decoder.new_cache(len(x_BxS), length, self._encode(x_BxS))
        past_B = jnp.zeros(len(x_BxS), jnp.int32)
        return {"layers": layers, "mask": padding_mask(x_BxS), "past": past_B}

    def extend(self, token_B: jax.Array, cache: Any) -> tuple[jax.Array, Any]:
        """Reads a token: the vector (B, D) that predicts the next one, and the cache."""
        past_B = cache["past"]
        x_Bx1xD = self.target(token_B[:, None], past_B[:, None])
        vectors, layers = self.decoder.extend(x_Bx1xD, cache["layers"], past_B, cache["mask"])
        return vectors[:, 0], cache | {"layers": layers, "past": past_B + 1}

    def weights(self, x_BxS: jax.Array, inputs_BxU: jax.Array) -> jax.Array:
        """Computes how predictions attend to the source, (B, U, S): the last layer's mean head."""
        inputs = self.target(inputs_BxU), causal_mask(inputs_BxU.shape[1])
        memory = self._encode(x_BxS), padding_mask(x_BxS)
        weights_LxBxHxUxS = self.decoder.memory_weights(*inputs, *memory)
        return weights_LxBxHxUxS[-1].mean(1)

    def _encode(self, x_BxS: jax.Array, *, train: bool = False) -> jax.Array:
        return self.encoder(self.source(x_BxS, train=train), padding_mask(x_BxS), train=train)


@dataclass(frozen=True, kw_only=True, eq=False)
class Transformer(AttendingPairs):
    """The family `transformer`."""

    model: Model


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> Transformer:
    """Builds the family from a config like `configs/transformer.py`; raises `ConfigError`."""
    fields, model = pair_fields(config, spec, total_steps), read(Model, config, "model")
    model.check()
    network = Network(
        spec.vocab_size,
        spec.target_vocab_size,
        (spec.shape[0], spec.target_shape[0]),
        make_layers(model, config.precision),
        model.positions,
        model.tie_embeddings,
    )
    return Transformer(**fields, model=model, network=network)
