"""The section `augment` of families that learn from changed sentences beside the real ones."""

from dataclasses import dataclass
from typing import Any

from genjax.core.errors import fail
from genjax.core.fields import check_idle, field

VARIANTS = "variants"  # of the sentences of a batch: int32 (…, K, T)


@dataclass(frozen=True)
class WordNoise:
    """How words are corrupted in training, see `genjax.data.text.corruption`."""

    drop: float = field(0.0, "rate at which words are left out", ge=0, le=1)
    swap: int = field(0, "words change places, none by more than this", ge=0)
    mask: float = field(0.0, "rate at which words are hidden by MASK", ge=0, le=1)

    @property
    def corruption(self) -> dict[str, Any]:
        """Returns the arguments of `corrupt_tokens`."""
        return {"swap": self.swap, "drop": self.drop, "mask": self.mask}


@dataclass(frozen=True)
class Augment(WordNoise):
    """The section `augment`, of sentences; labels are those of the sentences themselves."""

    workdir: str = field("", "a text autoencoder's run, which writes variants; empty: none")
    step: str = field("newest", "of its checkpoints: a number, newest or best")
    variants: int = field(4, "of each sentence, written once, at the start", ge=1)
    temperature: float = field(1.0, "of their words; 0: the likeliest ones", ge=0)
    rate: float = field(0.5, "at which a variant takes the sentence's place", gt=0, le=1)

    def check(self, kind: str) -> None:
        """Raises `ConfigError` where examples that are no sentences would be changed."""
        for name in ("workdir", *self.corruption):
            if kind != "sentence" and (value := getattr(self, name)):
                raise fail(f"augment.{name}", value, "is for sentences")
        check_idle("augment", self, ("step", "variants", "temperature", "rate"))
