"""Encoders of texts in other families: their fields, their use, and runs that they are taken from.

An encoder reads a word in its text: that of the families `bert`, `gpt` and `elmo`. A family that
declares `ContextFields` in its section `model` and a network `encoder` can begin with the encoder
of a run of these families; see `genjax.engine.start`. Vectors of words alone are tables of its own,
which can begin with those of a run of `word2vec`, or of a file; a recurrent network of its own that
reads one way can begin with that of a run of `recurrent_lm` (Dai and Le 2015).
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from ml_collections import ConfigDict

from genjax.core import tokens
from genjax.core.config import Optimizer, fail
from genjax.core.family import DataSpec
from genjax.core.fields import field, subsection
from genjax.core.network import applied
from genjax.core.random import batch_uniform
from genjax.data.text.corruption import hide_tokens
from genjax.families._bilm import BiLMFields, make_bilm
from genjax.families._transformers import LayerFields, make_layers
from genjax.models.bert import Encoder, one_text
from genjax.models.elmo import BiLMEncoder, Mix, spell_vocabulary
from genjax.models.features import offered
from genjax.models.gpt import CausalEncoder, Network

ENCODERS = ("bert", "gpt", "elmo")  # families, and values of the field that chooses one of them
DEFAULTS = {"norm_first": False, "dropout": 0.1}  # of `EncoderFields`
NUM_TYPES = 2  # of segments: the first and the second text
# The parameters and what they mean depend on these; the other fields are about training.
_LAYERS = (
    "num_layers", "num_heads", "num_kv_heads", "width", "mlp_dim", "activation", "norm",
    "norm_epsilon", "norm_first", "bias", "positions",
)  # fmt: skip
_BILM = ("width", "hidden", "layers", "char_dim", "char_widths", "char_filters", "highway")
_RECURRENT = ("cell", "embed_dim", "hidden", "layers")
# Which of their networks is which of ours: a GPT may have an output of its own.
_TAKEN = {
    "bert": ("encoder",),
    "gpt": ("network/embedding=encoder/embedding", "network/stack=encoder/stack"),
    "elmo": ("network=encoder",),
    "recurrent_lm": ("embedding=encoder/words", "recurrent=encoder/recurrent"),
}


@dataclass(frozen=True)
class EncoderFields(LayerFields):
    """A section such as `model.bert`; its defaults are `subsection(EncoderFields, **DEFAULTS)`."""

    max_length: int = field(
        0, "places that learned positions have, with BOS; 0: those of data.length", ge=0
    )

    def check_length(self, length: int, section: str, first: int = 1) -> None:
        """Raises `ConfigError` where texts of `length` tokens do not fit, or `check` does."""
        self.check(section)
        if self.positions == "learned" and 0 < self.max_length < length + first:
            places = f"{section}.max_length={self.max_length}, the encoder's places"
            message = f"must be below {places} with BOS" if first else f"must be at most {places}"
            raise fail("data.length", length, message)


@dataclass(frozen=True)
class CausalFields(EncoderFields):
    """The section `model.gpt`."""

    bos: bool = field(True, "BOS stands in front of a text; not where the run never read it")


@dataclass(frozen=True)
class BiLMEncoderFields(BiLMFields):
    """The section `model.elmo`."""

    bos: bool = field(True, "BOS stands in front of a text; runs of running text never read it")


@dataclass(frozen=True)
class ContextFields:
    """The part of a section `model` that is about the encoder."""

    mix: bool = field(
        False, "bert, gpt, elmo: all layers, weighed by learned scalars; else the last"
    )
    bert: EncoderFields = subsection(EncoderFields, **DEFAULTS)
    gpt: CausalFields = subsection(CausalFields, bias=False, dropout=0.1)
    elmo: BiLMEncoderFields = subsection(BiLMEncoderFields)

    def check_encoder(self, kind: str, spec: DataSpec) -> None:
        """Raises `ConfigError` where the encoder `kind` does not go with such data."""
        if kind == "bert":
            self.bert.check_length(spec.shape[0], "model.bert")
        elif kind == "gpt":
            self.gpt.check_length(spec.shape[0], "model.gpt", int(self.gpt.bos))
        elif kind == "elmo":
            self.elmo.check("model.elmo")


@dataclass(frozen=True)
class EncoderOptimizer(Optimizer):
    """The section `optimizer` where an encoder may learn more slowly."""

    encoder_lr_scale: float = field(
        1.0, "of the learning rate, for what makes the vectors; 0: it stays as it is", ge=0
    )


@dataclass(frozen=True, eq=False)
class Context:
    """How an encoder is asked for the vectors of words in their text.

    Attributes:
      first: places in front of the words: 1, that of BOS, or 0.
      dropout: rate, of what is made of the vectors.
      fixed: it does not learn: there is no gradient.
      mix: of its layers (Peters et al. 2018, equation 1), which learns all the same; None: the last
        layer is read.
      chars_VxC: characters of each token, where the encoder reads those.
    """

    first: int
    dropout: float
    fixed: bool
    mix: Mix | None = None
    chars_VxC: np.ndarray | None = None

    def vectors(
        self, encoder: nn.Module, params: Any, x_BxT: jax.Array, **options: Any
    ) -> jax.Array:
        """Computes the vectors (B, first + T, D) of the places of texts (B, T).

        Args:
          encoder: the network.
          params: `encoder` and, where layers are mixed, `mix`.
          x_BxT: tokens.
          options: of the network's `apply`.
        """
        inputs = self._inputs(x_BxT)
        if self.mix is None:
            h_BxSxD = applied(encoder, params["encoder"], *inputs, **options)
            return self._stopped(h_BxSxD)
        layers = jnp.stack(offered(encoder, params["encoder"], *inputs, **options))
        return applied(self.mix, params["mix"], self._stopped(layers))

    def init(self, encoder: nn.Module, key: jax.Array, x_BxT: jax.Array) -> dict[str, Any]:
        """Draws the parameters `encoder` and, where layers are mixed, `mix`."""
        inputs = self._inputs(x_BxT)
        params = {"encoder": encoder.init(key, *inputs)["params"]}
        if self.mix is None:
            return params
        layers = jnp.stack(offered(encoder, params["encoder"], *inputs))
        return params | {"mix": self.mix.init(key, layers)["params"]}

    def _inputs(self, x_BxT: jax.Array) -> tuple[jax.Array, ...]:
        ids_BxS = one_text(x_BxT) if self.first else x_BxT
        if self.chars_VxC is None:
            return (ids_BxS,)
        return jnp.asarray(self.chars_VxC)[ids_BxS], ids_BxS != tokens.PAD

    def _stopped(self, h: jax.Array) -> jax.Array:
        return jax.lax.stop_gradient(h) if self.fixed else h


def make_encoder(
    kind: str, m: ContextFields, spec: DataSpec, config: ConfigDict
) -> tuple[nn.Module, Context]:
    """Makes the encoder `kind`, one of `ENCODERS`, of these fields, and how it is asked.

    Raises:
      ConfigError: it reads characters, and tokens are no words.
    """
    mix = Mix() if m.mix else None
    fixed = not config.optimizer.encoder_lr_scale
    length, precision = spec.shape[0], config.precision
    if kind == "elmo":
        if not spec.spellings:
            message = "words are read as characters; must be word"
            raise fail("data.tokenizer", config.data.tokenizer, message)
        chars_VxC = spell_vocabulary(spec.spellings, config.data.word_length)
        context = Context(int(m.elmo.bos), m.elmo.dropout, fixed, mix, chars_VxC)
        return BiLMEncoder(make_bilm(m.elmo, precision)), context
    if kind == "gpt":
        g, first = m.gpt, int(m.gpt.bos)
        sizes = spec.vocab_size, g.max_length or length + first, make_layers(g, precision)
        network = Network(*sizes, g.positions, tie_embeddings=True)
        return CausalEncoder(network), Context(first, g.dropout, fixed, mix)
    bert = make_bert(m.bert, spec.vocab_size, length, precision)
    return bert, Context(1, m.bert.dropout, fixed, mix)


def make_bert(m: EncoderFields, vocab_size: int, length: int, precision: str) -> Encoder:
    """Makes BERT's encoder of these fields, for texts of `length` tokens and BOS."""
    places = m.max_length or length + 1
    return Encoder(vocab_size, places, make_layers(m, precision), m.positions, NUM_TYPES)


def drop_words(x_BxT: jax.Array, key: jax.Array, rate: float) -> jax.Array:
    """Replaces that share of the words of texts by UNK, drawn for the global batch."""
    if not rate:
        return x_BxT
    return hide_tokens(x_BxT, batch_uniform(key, x_BxT.shape), rate, tokens.UNK)


def places(config: ConfigDict, length: int) -> int:
    """Counts the places of `length` tokens in the family `bert`: BOS too, of pairs two EOS."""
    return length + (3 if config.loss.next_sentence else 1)


def adopt_encoder(
    config: ConfigDict, other: ConfigDict, chosen_by: str, table: str
) -> dict[str, Any]:
    """Returns the fields that the run `other` decides where its encoder is taken over.

    Args:
      config: of the run that begins.
      other: of the run that it starts from; of another family than these it decides none.
      chosen_by: the field that names the encoder.
      table: path of the vectors of words, which begin with those of a run of `word2vec`.
    """
    if other.family == "word2vec":
        taken = _networks(config, (f"input={table}",))
        return {"model.embed_dim": other.model.embedding_dim} | taken
    if other.family == "recurrent_lm" and chosen_by == "model.network":  # which reads one way
        found = {f"model.{name}": other.model[name] for name in _RECURRENT}
        found |= {chosen_by: "recurrent", "model.bidirectional": False}
        return found | _networks(config, _TAKEN[other.family])
    if other.family not in ENCODERS:
        return {}
    found = {chosen_by: other.family} | _networks(config, _TAKEN[other.family])
    if other.family == "bert":
        return found | decided_by_bert(other)
    if other.family == "elmo":
        found |= _same(_BILM, other, "model.elmo") | {"model.elmo.bos": not _running(other)}
        return found | {"data.word_length": other.data.word_length}
    read_bos = not _running(other) or other.loss.bos_rate > 0
    found |= {"model.gpt.bos": read_bos, "model.gpt.max_length": other.data.length}
    return found | _same(_LAYERS, other, "model.gpt")


def decided_by_bert(other: ConfigDict) -> dict[str, Any]:
    """Returns the fields `model.bert` of the encoder of the run `other`, of the family `bert`."""
    length = other.data.length + (1 if _running(other) else 0)  # a window has a token more
    max_length = {"model.bert.max_length": places(other, length)}
    return _same(_LAYERS, other, "model.bert") | max_length


def _same(names: tuple[str, ...], other: ConfigDict, section: str) -> dict[str, Any]:
    return {f"{section}.{name}": other.model[name] for name in names}


def _networks(config: ConfigDict, taken: tuple[str, ...]) -> dict[str, Any]:
    """Returns what is taken over, unless the config says so itself."""
    usual = config.start.networks == ("encoder",) and config.start.what != "state"
    return {"start.networks": taken} if usual else {}


def _running(other: ConfigDict) -> bool:
    return bool(other.data.kind == "text" and not other.data.name.startswith("tsv:"))
