"""The Transformer: an encoder and a decoder made of attention, as in the paper.

    p(y | x) = prod_t softmax(E d_t)[y_t],   d = decoder(y_1 … y_{t-1}, encoder(x))

Source: Vaswani et al. 2017 (Attention is all you need), with sinusoidal positions, label smoothing
and the inverse square root schedule; norms behind each sum as there, or in front (`norm_first`).
Its one table for source, target and output needs one vocabulary for both languages; here the source
has its own, and `tie_embeddings` joins the other two. With `copy` a pointer behind the last layer
may choose a word of the source instead (See et al. 2017; `genjax.losses.copying`).

The encoder can be BERT's (`encoder`), that of a trained run of the family `bert` whose tokens are
the source's (`start.workdir`); the decoder begins at random (Rothe et al. 2020, Leveraging
pre-trained checkpoints for sequence generation, BERT2RND).
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from genjax.core.config import Optimizer, fail
from genjax.core.family import DataSpec, State
from genjax.core.fields import field, read, subsection
from genjax.families._encoders import DEFAULTS, EncoderFields, decided_by_bert, make_bert
from genjax.families._pairs import (
    AttendingPairs,
    CopyingPairs,
    Loss,
    PairConfig,
    check_copying,
    pair_fields,
)
from genjax.families._transformers import LayerFields, make_layers
from genjax.models.bert import Encoder, one_text
from genjax.models.copying import Pointer, Prediction
from genjax.models.embedding import Embedding
from genjax.models.layers import Layers
from genjax.models.transformer import Stack
from genjax.ops.masks import causal_mask, padding_mask


@dataclass(frozen=True)
class Model(LayerFields):
    """The section `model`."""

    tie_embeddings: bool = field(True, "the target's vectors are the output's weights too")
    copy: bool = field(False, "words of the source can be copied: a pointer-generator")
    encoder: str = field(
        "own", "of the source: like the decoder, or that of model.bert", choices=("own", "bert")
    )
    bert: EncoderFields = subsection(EncoderFields, **DEFAULTS)

    def check_encoder(self, spec: DataSpec) -> None:
        """Raises `ConfigError` where the encoder does not go with the decoder or the data."""
        if self.encoder != "bert":
            return
        self.bert.check_length(spec.shape[0], "model.bert")
        if self.bert.width != self.width:
            message = f"must be model.width={self.width}, of the decoder that attends to it"
            raise fail("model.bert.width", self.bert.width, message)


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


def adopt(config: ConfigDict, other: ConfigDict) -> dict[str, Any]:
    """See `families.adopt`; what is taken of a run of the family `bert` is its encoder."""
    if other.family != "bert":
        return {}
    found = {"model.encoder": "bert", "model.width": other.model.width} | decided_by_bert(other)
    usual = config.start.networks == () and config.start.what != "state"
    return found | ({"start.networks": ("encoder=network/bert",)} if usual else {})


class Network(nn.Module):
    """Maps a source and the known part of a target to vectors that predict the next token.

    Attributes:
      vocab_size: tokens of the source.
      target_vocab_size: tokens of the target.
      lengths: the most places of source and target.
      layers: of both stacks.
      positions: see `Embedding`; rotary ones are the layers' own.
      tie_embeddings: the target's vectors are the output's weights too.
      copies: a `Pointer` to the source stands behind the decoder's last layer.
      bert: encodes the source, with BOS in front of it; None: a stack like the decoder's does.
    """

    vocab_size: int
    target_vocab_size: int
    lengths: tuple[int, int]
    layers: Layers
    positions: str
    tie_embeddings: bool
    copies: bool = False
    bert: Encoder | None = None

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
        if self.bert is None:
            self.source = Embedding(self.vocab_size, max_length=source_length, **embed)
            self.encoder = Stack(of)
        self.target = Embedding(self.target_vocab_size, max_length=target_length, **embed)
        self.decoder = Stack(of, cross=True)
        if self.copies:
            self.pointer = Pointer(of.width, of.dtype)
        if not self.tie_embeddings:
            init = nn.initializers.normal(of.width**-0.5)
            self.kernel = self.param("kernel", init, (of.width, self.target_vocab_size))

    def __call__(
        self, x_BxS: jax.Array, inputs_BxU: jax.Array, *, train: bool = False
    ) -> jax.Array:
        """Computes vectors (B, U, D) that predict what follows each of the inputs."""
        vectors_BxUxD: jax.Array = self.predict(x_BxS, inputs_BxU, train=train).vectors
        return vectors_BxUxD

    def predict(
        self, x_BxS: jax.Array, inputs_BxU: jax.Array, *, train: bool = False
    ) -> Prediction:
        """Computes the same vectors and, with `copies`, weights of the source and the gate."""
        memory, mask = self._encode(x_BxS, train=train), padding_mask(x_BxS)
        embedded_BxUxD = self.target(inputs_BxU, train=train)
        vectors_BxUxD = self.decoder(
            embedded_BxUxD,
            causal_mask(inputs_BxU.shape[1]),
            memory_BxMxD=memory,
            memory_mask=mask,
            train=train,
        )
        if not self.copies:
            return Prediction(vectors_BxUxD)
        return self.pointer(vectors_BxUxD, embedded_BxUxD, self.pointer.remember(memory, mask))

    def head(self) -> tuple[jax.Array, None]:
        """Returns the output's weights (D, V); there are no biases."""
        return self.target.tokens.T if self.tie_embeddings else self.kernel, None

    def begin(self, x_BxS: jax.Array, length: int) -> dict[str, Any]:
        """Makes the cache before the first of at most `length` tokens."""
        memory, mask = self._encode(x_BxS), padding_mask(x_BxS)
        layers = self.decoder.new_cache(len(x_BxS), length, memory)
        cache = {"layers": layers, "mask": mask, "past": jnp.zeros(len(x_BxS), jnp.int32)}
        return cache | ({"pointer": self.pointer.remember(memory, mask)} if self.copies else {})

    def extend(self, token_B: jax.Array, cache: Any) -> tuple[jax.Array, Any]:
        """Reads a token: the vector (B, D) that predicts the next one, and the cache."""
        found, cache = self.predict_next(token_B, cache)
        return found.vectors, cache

    def predict_next(self, token_B: jax.Array, cache: Any) -> tuple[Prediction, Any]:
        """Reads a token: what is made of it, without the axis U, and the cache."""
        past_B = cache["past"]
        x_Bx1xD = self.target(token_B[:, None], past_B[:, None])
        vectors, layers = self.decoder.extend(x_Bx1xD, cache["layers"], past_B, cache["mask"])
        found = Prediction(vectors)
        if self.copies:
            found = self.pointer(vectors, x_Bx1xD, cache["pointer"])
        return found.last(), cache | {"layers": layers, "past": past_B + 1}

    def weights(self, x_BxS: jax.Array, inputs_BxU: jax.Array) -> jax.Array:
        """Computes how predictions attend to the source, (B, U, S).

        It is the pointer that is asked or, without `copies`, the mean head of the last layer.
        """
        if self.copies:
            return jnp.asarray(self.predict(x_BxS, inputs_BxU).weights)
        inputs = self.target(inputs_BxU), causal_mask(inputs_BxU.shape[1])
        memory = self._encode(x_BxS), padding_mask(x_BxS)
        weights_LxBxHxUxS = self.decoder.memory_weights(*inputs, *memory)
        return weights_LxBxHxUxS[-1].mean(1)

    def _encode(self, x_BxS: jax.Array, *, train: bool = False) -> jax.Array:
        if self.bert is not None:
            return self.bert(one_text(x_BxS), train=train)[:, 1:]
        return self.encoder(self.source(x_BxS, train=train), padding_mask(x_BxS), train=train)


@dataclass(frozen=True, kw_only=True, eq=False)
class Transformer(AttendingPairs):
    """The family `transformer`."""

    model: Model
    network: Network

    @property
    def stacks(self) -> tuple[Layers, ...]:
        """See `Family`."""
        bert = self.network.bert
        return (self.network.layers, *([bert.layers] if bert else []))

    def features(self, state: State, x_BxS: jax.Array) -> dict[str, jax.Array]:
        """See `Pairs`; BERT's layers without BOS."""
        first = int(self.model.encoder == "bert")
        return {name: h[:, first:] for name, h in super().features(state, x_BxS).items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class CopyingTransformer(Transformer, CopyingPairs):
    """The family `transformer` that copies words of the source."""


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> Transformer:
    """Builds the family from a config like `configs/transformer.py`; raises `ConfigError`."""
    fields, model = pair_fields(config, spec, total_steps), read(Model, config, "model")
    model.check()
    model.check_encoder(spec)
    check_copying(config, spec)
    bert = None
    if model.encoder == "bert":
        bert = make_bert(model.bert, spec.vocab_size, spec.shape[0], config.precision)
    network = Network(
        spec.vocab_size,
        spec.target_vocab_size,
        (spec.shape[0], spec.target_shape[0]),
        make_layers(model, config.precision),
        model.positions,
        model.tie_embeddings,
        model.copy,
        bert,
    )
    kind = CopyingTransformer if model.copy else Transformer
    return kind(**fields, model=model, network=network)
