"""The fields of the family `text_autoencoder`, and the checks that involve two of them."""

from dataclasses import dataclass

from genjax import losses
from genjax.core.augmenting import WordNoise
from genjax.core.config import fail
from genjax.core.fields import field
from genjax.families._language_models import TokenLoss
from genjax.families._recurrent import RecurrentFields
from genjax.models.sentence import POOLINGS


@dataclass(frozen=True)
class Model(RecurrentFields):
    """The section `model`."""

    layers: int = field(1, "of encoder and decoder each", ge=1)
    latent_dim: int = field(128, "numbers of a sentence's vector", ge=1)
    bidirectional: bool = field(True, "the encoder also reads from the end")
    pooling: str = field("last", "of the encoder's outputs", choices=POOLINGS)
    every_step: bool = field(True, "the decoder reads z with each token, not at first alone")


@dataclass(frozen=True)
class Loss(WordNoise, TokenLoss):
    """The section `loss`; words are corrupted in training, in what the encoder reads."""

    variational: bool = field(False, "of a variational autoencoder")
    word_dropout: float = field(
        0.0, "rate at which words that the decoder reads become UNK, in training", ge=0, le=1
    )
    kl_weight: float = field(1.0, "variational: w, once it has risen", ge=0)
    kl_annealing: str = field(
        "constant", "variational: how w rises from 0", choices=losses.ANNEALINGS
    )
    kl_annealing_steps: int = field(0, "of the rise", ge=0)
    kl_cycles: int = field(4, "cyclical: rises, each followed by as many steps at kl_weight", ge=1)
    free_bits: float = field(0.0, "variational: nats that each latent may use without cost", ge=0)
    eval_samples: int = field(1, "variational: draws of z for each test sentence", ge=1)

    def check(self) -> None:
        """Raises `ConfigError` for fields that do not go together."""
        if self.kl_annealing != "constant" and self.kl_annealing_steps < 1:
            raise fail("loss.kl_annealing_steps", self.kl_annealing_steps, "must be at least 1")
        plain = {"kl_weight": 1.0, "kl_annealing": "constant", "free_bits": 0.0}
        for name, value in plain.items():
            if not self.variational and (given := getattr(self, name)) != value:
                raise fail(f"loss.{name}", given, f"needs loss.variational; must be {value}")
