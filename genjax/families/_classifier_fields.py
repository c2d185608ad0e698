"""The fields of the family `classifier`, of texts and of pictures."""

from dataclasses import dataclass

from ml_collections import ConfigDict

from genjax.core.augmenting import Augment
from genjax.core.config import Base, Start, TextData, fail
from genjax.core.family import DataSpec
from genjax.core.fields import field, subsection
from genjax.core.teaching import Teacher
from genjax.families._checks import check_halvings
from genjax.families._encoders import ENCODERS, ContextFields, EncoderOptimizer
from genjax.families._recurrent import RecurrentFields
from genjax.models.dense import ACTIVATIONS
from genjax.models.pictures import NORMS
from genjax.models.sentence import POOLINGS

OF_TEXTS = ("bag", "recurrent", "transformer", *ENCODERS)
OF_PICTURES = ("none", "conv", "resnet", "run")
_POOLINGS = {  # of networks that allow not all of them
    "recurrent": ("mean", "max", "last"),
    "transformer": ("mean", "max"),
    "bert": ("mean", "max", "first"),
    "gpt": ("mean", "max", "last"),
    "elmo": ("mean", "max"),
}


@dataclass(frozen=True)
class Model(RecurrentFields, ContextFields):
    """The section `model`: what makes the vector of an example, and the head on it.

    `hidden` and `layers` are of the recurrent network; of bag: of the dense layers, of which there
    may be none; of transformer: the width of the feed-forward networks, and the layers. `embed_dim`
    is the width of all three. The networks bert, gpt and elmo follow the sections of their names,
    `mix`, `pooling` and `word_dropout` alone, run `layer`, `tiles`, `run` and `dropout`.
    """

    network: str = field(
        "recurrent",
        "what makes the vector; none, conv, resnet, run: of pictures",
        choices=(*OF_PICTURES, *OF_TEXTS),
    )
    head_hidden: tuple[int, ...] = field((), "widths of hidden layers; empty: linear", ge=1)
    head_activation: str = field("relu", "of these layers", choices=ACTIVATIONS)
    dropout: float = field(
        0.0, "of layers of the text networks, of the vector of pictures, of the head's", ge=0, lt=1
    )
    channels: tuple[int, ...] = field(
        (32, 64), "conv: of each convolution; resnet: of each stage", ge=1
    )
    blocks: int = field(1, "resnet: of each stage", ge=1)
    norm: str = field("none", "conv, resnet: of channels", choices=NORMS)
    activation: str = field("relu", "conv, resnet: of convolutions", choices=ACTIVATIONS)
    bidirectional: bool = field(True, "recurrent: reads both ways")
    pooling: str = field(
        "max", "of recurrent and gpt also last, of bert first: BOS", choices=POOLINGS
    )
    num_heads: int = field(4, "transformer: of attention", ge=1)
    bigrams: int = field(0, "bag: rows of the table of hashed pairs of words; 0: none", ge=0)
    word_dropout: float = field(0.0, "rate at which words become UNK in training", ge=0, lt=1)
    layer: str = field("", "run: of its features; empty: the last")
    tiles: int = field(4, "run: a side, of layers of pixels, whose means count; 0: pixels", ge=0)
    run: str = field("", "run: settings of its networks, as JSON; the run decides them")

    def check(self, spec: DataSpec) -> None:
        """Raises `ConfigError` for fields that do not go together, or not with such data."""
        of_texts = spec.kind == "sentence"
        allowed = OF_TEXTS if of_texts else OF_PICTURES
        if self.network not in allowed:
            message = (
                f"must be {' or '.join(allowed)} for {'sentences' if of_texts else 'pictures'}"
            )
            raise fail("model.network", self.network, message)
        if of_texts:
            self._check_texts(spec)
        elif self.network == "none" and self.dropout and not self.head_hidden:
            message = "must be 0 with model.network=none and no model.head_hidden"
            raise fail("model.dropout", self.dropout, message)
        elif self.network == "conv":
            check_halvings("model.channels", self.channels, spec.shape)
        elif self.network == "resnet":
            if not self.channels:
                raise fail("model.channels", self.channels, "must have at least one stage")
            check_halvings("model.channels", self.channels[1:] or self.channels, spec.shape)

    def _check_texts(self, spec: DataSpec) -> None:
        network, pooling = self.network, self.pooling
        if pooling not in _POOLINGS.get(network, POOLINGS):
            allowed = f"must be {' or '.join(_POOLINGS[network])} with model.network={network}"
            raise fail("model.pooling", pooling, allowed)
        if self.bigrams and network != "bag":
            raise fail("model.bigrams", self.bigrams, f"must be 0 with model.network={network}")
        if self.layers < 1 and network != "bag":
            raise fail("model.layers", self.layers, "must be at least 1")
        if network == "transformer" and self.embed_dim % self.num_heads:
            message = f"must divide model.embed_dim={self.embed_dim}"
            raise fail("model.num_heads", self.num_heads, message)
        self.check_encoder(network, spec)


@dataclass(frozen=True)
class Loss:
    """The section `loss`."""

    kind: str = field(
        "softmax",
        "cross-entropy; or of support vector machines, on the scores",
        choices=("softmax", "hinge", "squared_hinge", "crammer_singer"),
    )
    label_smoothing: float = field(0.0, "softmax: share of the uniform distribution", ge=0, lt=1)
    l1: float = field(0.0, "weight of the sum of |w| over the head's weights", ge=0)
    l2: float = field(0.0, "weight of the sum of w^2 over the head's weights", ge=0)

    def check(self) -> None:
        """Raises `ConfigError` for fields that do not go together."""
        if self.label_smoothing and self.kind != "softmax":
            message = f"must be 0 with loss.kind={self.kind}"
            raise fail("loss.label_smoothing", self.label_smoothing, message)


@dataclass(frozen=True)
class LabeledData(TextData):
    """The section `data`."""

    kind: str = field("sentence", "what examples are", choices=("sentence", "image"))
    num_labeled: int = field(
        0, "training examples, as many of each class as its share says; 0: all", ge=0
    )
    labeled_seed: int = field(0, "of the choice of these", ge=0, le=2**32 - 1)
    leave_out: str = field("", "name or number of a class that training does not see")


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with defaults for short texts."""

    family: str = "classifier"
    data: LabeledData = subsection(LabeledData, tokenizer="word", lowercase=True)
    optimizer: EncoderOptimizer = subsection(EncoderOptimizer, clip_norm=1.0)
    model: Model = subsection(Model, hidden=128, dropout=0.5)
    loss: Loss = subsection(Loss)
    start: Start = subsection(Start, networks=("encoder",))
    teacher: Teacher = subsection(Teacher)
    augment: Augment = subsection(Augment)


@dataclass(frozen=True)
class PictureConfig(Config):
    """The same fields, with defaults for pictures."""

    data: LabeledData = subsection(LabeledData, name="digits", kind="image")
    optimizer: EncoderOptimizer = subsection(EncoderOptimizer)
    model: Model = subsection(Model, network="none")


def picture_config() -> ConfigDict:
    """Returns every field of the family with its default for pictures."""
    return PictureConfig.defaults()
