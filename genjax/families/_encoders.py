"""BERT's encoder in other families: its section of fields, and whose of them a trained one decides.

A family that declares the section `model.bert` and a network `encoder` can begin with the encoder
of a run of the family `bert`; see `genjax.engine.pretrained`.
"""

from typing import Any

from ml_collections import ConfigDict

from genjax.core.config import fail
from genjax.families._transformers import check_layers, layer_fields, make_layers
from genjax.models.bert import Encoder

SECTION = "model.bert"
NUM_TYPES = 2  # of segments: the first and the second text
# What the parameters and what they say depend on; the other fields are of training.
_LAYERS = (
    "num_layers", "num_heads", "num_groups", "width", "hidden", "activation", "norm",
    "norm_epsilon", "norm_first", "bias", "positions",
)  # fmt: skip
# Without vocab_size and min_count: they bound a vocabulary that is learned, and none is.
_TOKENS = ("tokenizer", "lowercase")


def encoder_fields(**changes: Any) -> ConfigDict:
    """The section `model.bert`; `changes` are of its defaults."""
    m = layer_fields(norm_first=False, dropout=0.1)
    m.max_length = 0  # places that learned positions have, with BOS; 0: those of data.length
    m.update(changes)
    return m


def make_encoder(config: ConfigDict, vocab_size: int, length: int) -> Encoder:
    """The encoder of `encoder_fields`, for texts of `length` tokens and BOS."""
    m = config.model.bert
    return Encoder(
        vocab_size, m.max_length or length + 1, make_layers(config, SECTION), m.positions,
        NUM_TYPES,
    )  # fmt: skip


def check_encoder(config: ConfigDict, length: int) -> None:
    """Raises `ConfigError` for a field of `encoder_fields` that is out of range."""
    m = config.model.bert
    check_layers(m, SECTION)
    if m.max_length < 0:
        raise fail(f"{SECTION}.max_length", m.max_length, "must be at least 0")
    if m.positions == "learned" and 0 < m.max_length <= length:
        told = f"must be below {SECTION}.max_length={m.max_length}, the encoder's places with BOS"
        raise fail("data.length", length, told)


def check_factor(config: ConfigDict) -> None:
    """Raises `ConfigError` where `optimizer.encoder_factor` is out of range."""
    factor = config.optimizer.encoder_factor
    if factor < 0:
        raise fail("optimizer.encoder_factor", factor, "must be at least 0")


def places(config: ConfigDict, length: int) -> int:
    """Of texts of `length` tokens in a run of the family `bert`: with BOS, and of pairs two EOS."""
    return length + (3 if config.loss.next_sentence else 1)


def adopt_encoder(config: ConfigDict, other: ConfigDict) -> dict[str, Any]:
    """What the run of `other` decides where its encoder is taken over; see `families.adopt`."""
    if other.family != "bert":
        told = f"is a run of the family {other.family}; must be one of the family bert"
        raise fail("pretrained.workdir", config.pretrained.workdir, told)
    decided = {f"{SECTION}.{name}": other.model[name] for name in _LAYERS}
    decided |= {f"data.{name}": other.data[name] for name in _TOKENS}
    running = other.data.kind == "text" and not other.data.name.startswith("tsv:")
    length = other.data.length + (1 if running else 0)  # a window has a token more
    return decided | {f"{SECTION}.max_length": places(other, length)}
