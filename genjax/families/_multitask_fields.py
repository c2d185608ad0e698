"""The fields of the family `multitask`, of pictures and of texts, and its shared network."""

from dataclasses import dataclass
from typing import Any

from flax import linen as nn
from ml_collections import ConfigDict

from genjax.core.config import Base, Data, Optimizer, TextData, fail
from genjax.core.family import DataSpec, compute_dtype
from genjax.core.fields import field, subsection
from genjax.data.multitask import Tasks
from genjax.families._checks import check_halvings
from genjax.families._recurrent import RecurrentFields, make_recurrent
from genjax.models.convnets import ConvEncoder
from genjax.models.dense import MLP
from genjax.models.sentence import Bag, RecurrentEncoder

METHODS = ("fixed", "uncertainty", "pcgrad")
OF_PICTURES = ("mlp", "conv")
OF_TEXTS = ("bag", "recurrent")


@dataclass(frozen=True)
class PictureData(Tasks, Data):
    """The section `data`, of pictures."""


@dataclass(frozen=True)
class SentenceData(Tasks, TextData):
    """The section `data`, of texts."""


@dataclass(frozen=True)
class Model(RecurrentFields):
    """The section `model`, of the network that tasks share.

    `hidden` and `layers` are of the recurrent network and of dense layers: mlp has at least one,
    bag perhaps none, conv is followed by one. `embed_dim` is of words.
    """

    network: str = field(
        "mlp",
        "makes the vector of an example; of pictures mlp, conv, of texts bag, recurrent",
        choices=(*OF_PICTURES, *OF_TEXTS),
    )
    channels: tuple[int, ...] = field((32, 64), "conv: of each halving", ge=1)
    bidirectional: bool = field(True, "recurrent: reads both ways")

    def check(self, spec: DataSpec) -> None:
        """Raises `ConfigError` for a network that does not fit the data of `spec`."""
        texts = spec.kind == "sentence"
        allowed = OF_TEXTS if texts else OF_PICTURES
        if self.network not in allowed:
            kind = "sentences" if texts else "pictures"
            message = f"must be {' or '.join(allowed)} for {kind}"
            raise fail("model.network", self.network, message)
        if self.layers < 1 and self.network in ("mlp", "recurrent"):
            raise fail("model.layers", self.layers, "must be at least 1")
        if self.network == "conv":
            check_halvings("model.channels", self.channels, spec.shape)
        if self.dropout and (self.network == "conv" or (self.network, self.layers) == ("mlp", 1)):
            what = "conv" if self.network == "conv" else "mlp and model.layers=1"
            raise fail("model.dropout", self.dropout, f"must be 0 with model.network={what}")


@dataclass(frozen=True)
class Loss:
    """The section `loss`."""

    method: str = field(
        "fixed",
        "weights of the tasks: as given, learned by their uncertainty, or as given with gradients "
        "projected where they conflict",
        choices=METHODS,
    )
    weights: tuple[float, ...] = field((), "of each task, with fixed and pcgrad; empty: 1")

    def check(self, num_tasks: int) -> None:
        """Raises `ConfigError` for weights that do not fit the tasks or the method."""
        if not self.weights:
            return
        if self.method == "uncertainty":
            message = "must be empty with loss.method=uncertainty, which learns them"
            raise fail("loss.weights", self.weights, message)
        if len(self.weights) != num_tasks or min(self.weights) < 0 or not any(self.weights):
            message = f"must be a number of at least 0 for each of {num_tasks} tasks, not all 0"
            raise fail("loss.weights", self.weights, message)


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with defaults for small pictures."""

    family: str = "multitask"
    data: PictureData = subsection(PictureData)
    model: Model = subsection(Model, layers=2)
    loss: Loss = subsection(Loss)


@dataclass(frozen=True)
class TextConfig(Base):
    """The same fields, and those of texts, with defaults for sentences."""

    family: str = "multitask"
    loss: Loss = subsection(Loss)
    data: SentenceData = subsection(SentenceData, kind="sentence", tokenizer="word", lowercase=True)
    optimizer: Optimizer = subsection(Optimizer, clip_norm=1.0)
    model: Model = subsection(Model, network="recurrent", hidden=128, layers=1, dropout=0.5)


def text_config() -> ConfigDict:
    """Returns every field of the family with its default for texts."""
    return TextConfig.defaults()


def make_encoder(m: Model, spec: DataSpec, precision: str) -> nn.Module:
    """Makes the network that `model.network` names, from examples (B, …) to vectors (B, D)."""
    dtype: Any = compute_dtype(precision)
    if m.network == "conv":
        return ConvEncoder(m.channels, (m.hidden,), activation="relu", dtype=dtype)
    if m.network == "mlp":
        widths = (m.hidden,) * (m.layers - 1)
        return MLP(widths, (m.hidden,), dropout=m.dropout, dtype=dtype)
    if m.network == "bag":
        sizes = spec.vocab_size, m.embed_dim, 0, m.hidden, m.layers
        return Bag(*sizes, m.dropout, dtype)
    recurrent = make_recurrent(m, dtype, bidirectional=m.bidirectional)
    return RecurrentEncoder(spec.vocab_size, m.embed_dim, recurrent, "max")
