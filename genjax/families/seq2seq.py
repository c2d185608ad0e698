"""Sequence to sequence: a recurrent encoder and a recurrent decoder, with or without attention.

    p(y | x) = prod_t softmax(W v_t)[y_t],   v_t = tanh(W_c [c_t; h_t])

h_t is the decoder's state behind y_{t-1}, c_t the source's states weighted by attention. Sources:
Sutskever et al. 2014 (none), Bahdanau et al. 2015 (the score `additive`), Chorowski et al. 2015
(`location`), Luong et al. 2015 (the scores `multiplicative` and `dot`, and input feeding); see
`genjax.models.seq2seq`. With `copy` a gate chooses between y_t as above and a word of the source by
its weight of attention (See et al. 2017; `genjax.losses.copying`).
"""

from dataclasses import asdict, dataclass

from ml_collections import ConfigDict

from genjax.core.config import Optimizer, fail
from genjax.core.family import DataSpec, compute_dtype
from genjax.core.fields import field, read, subsection
from genjax.families._pairs import (
    AttendingPairs,
    CopyingPairs,
    PairConfig,
    Pairs,
    check_copying,
    pair_fields,
)
from genjax.models.seq2seq import ATTENTIONS
from genjax.models.seq2seq import Seq2Seq as Network
from genjax.ops.recurrence import CELLS


@dataclass(frozen=True)
class Model:
    """The section `model`: the attributes of the network."""

    cell: str = field("lstm", "of both recurrent networks", choices=CELLS)
    embed_dim: int = field(64, "width of a token's vector, and of what predicts one", ge=1)
    hidden: int = field(128, "units of each layer; of the encoder's half in each direction", ge=1)
    layers: int = field(1, "of encoder and decoder each", ge=1)
    bidirectional: bool = field(True, "the encoder also reads from the end")
    attention: str = field("additive", "the score of a place of the source", choices=ATTENTIONS)
    input_feeding: bool = field(True, "what predicts a token is part of the next step's input")
    tie_embeddings: bool = field(False, "the target's vectors are the output's weights too")
    dropout: float = field(0.0, "of each layer's inputs and of what predicts", ge=0, lt=1)
    copy: bool = field(False, "words of the source can be copied: a pointer-generator")

    def check(self) -> None:
        """Raises `ConfigError` for fields that do not go together."""
        if self.bidirectional and self.hidden % 2:
            raise fail("model.hidden", self.hidden, "must be even: half of it for each direction")
        if self.input_feeding and self.attention == "none":
            raise fail("model.input_feeding", True, "needs model.attention")
        if self.copy and self.attention == "none":
            raise fail("model.copy", True, "needs model.attention: it copies what that looks at")
        if self.attention == "location" and not self.input_feeding:
            message = "needs model.input_feeding=True: step by step"
            raise fail("model.attention", "location", message)


@dataclass(frozen=True)
class Config(PairConfig):
    """Every field of the family, with defaults for `reverse`."""

    family: str = "seq2seq"
    optimizer: Optimizer = subsection(Optimizer, learning_rate=2e-3, clip_norm=1.0)
    model: Model = subsection(Model)


default_config = Config.defaults


@dataclass(frozen=True, kw_only=True, eq=False)
class Seq2Seq(Pairs):
    """The family `seq2seq`."""

    model: Model


@dataclass(frozen=True, kw_only=True, eq=False)
class AttendingSeq2Seq(Seq2Seq, AttendingPairs):
    """The family `seq2seq` with attention."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CopyingSeq2Seq(AttendingSeq2Seq, CopyingPairs):
    """The family `seq2seq` that copies words of the source."""


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> Seq2Seq:
    """Builds the family from a config like `configs/seq2seq_attention.py`; raises `ConfigError`."""
    fields, model = pair_fields(config, spec, total_steps), read(Model, config, "model")
    model.check()
    check_copying(config, spec)
    kind = Seq2Seq if model.attention == "none" else AttendingSeq2Seq
    kind = CopyingSeq2Seq if model.copy else kind
    attributes = asdict(model)
    attributes["copies"] = attributes.pop("copy")  # a module's own `copy` is a method
    network = Network(
        spec.vocab_size,
        spec.target_vocab_size,
        **attributes,
        dtype=compute_dtype(config.precision),
    )
    return kind(**fields, model=model, network=network)
