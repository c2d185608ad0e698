"""BERT's encoder in other families: its fields, and which of them a trained encoder decides.

A family that declares the section `model.bert` and a network `encoder` can begin with the encoder
of a run of the family `bert`; see `genjax.engine.start`.
"""

from dataclasses import dataclass
from typing import Any

import jax
from ml_collections import ConfigDict

from genjax.core import tokens
from genjax.core.config import Optimizer, fail
from genjax.core.fields import field
from genjax.core.random import batch_uniform
from genjax.data.text.corruption import hide_tokens
from genjax.families._transformers import LayerFields, make_layers
from genjax.models.bert import Encoder

SECTION = "model.bert"
DEFAULTS = {"norm_first": False, "dropout": 0.1}  # of `EncoderFields`
NUM_TYPES = 2  # of segments: the first and the second text
# The parameters and what they mean depend on these; the other fields are about training.
_LAYERS = (
    "num_layers", "num_heads", "num_kv_heads", "width", "mlp_dim", "activation", "norm",
    "norm_epsilon", "norm_first", "bias", "positions",
)  # fmt: skip


@dataclass(frozen=True)
class EncoderFields(LayerFields):
    """The section `model.bert`, whose defaults are `subsection(EncoderFields, **DEFAULTS)`."""

    max_length: int = field(
        0, "places that learned positions have, with BOS; 0: those of data.length", ge=0
    )

    def check_length(self, length: int) -> None:
        """Raises `ConfigError` where texts of `length` tokens do not fit, or `check` does."""
        self.check(SECTION)
        if self.positions == "learned" and 0 < self.max_length <= length:
            places = f"{SECTION}.max_length={self.max_length}, the encoder's places with BOS"
            raise fail("data.length", length, f"must be below {places}")


@dataclass(frozen=True)
class EncoderOptimizer(Optimizer):
    """The section `optimizer` where an encoder may learn more slowly."""

    encoder_lr_scale: float = field(
        1.0, "of the learning rate, for what makes the vectors; 0: it stays as it is", ge=0
    )


def make_encoder(m: EncoderFields, vocab_size: int, length: int, precision: str) -> Encoder:
    """Makes the encoder of these fields, for texts of `length` tokens and BOS."""
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


def adopt_encoder(other: ConfigDict) -> dict[str, Any]:
    """Returns the fields that the run `other` decides where its encoder, BERT's, is taken over."""
    decided = {f"{SECTION}.{name}": other.model[name] for name in _LAYERS}
    running = other.data.kind == "text" and not other.data.name.startswith("tsv:")
    length = other.data.length + (1 if running else 0)  # a window has a token more
    return decided | {f"{SECTION}.max_length": places(other, length)}
