"""The section `teacher` of families that learn from another run, and what batches have of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from genjax.core.errors import ConfigError, fail
from genjax.core.fields import check_idle, field

_OF_ANY = ("step", "member", "temperature")  # fields that say nothing without a teacher
LOGITS = "teacher_logits"  # of the teacher, in a batch: float32 (…, C)


@dataclass(frozen=True)
class TeacherFields:
    """What the section `teacher` of every family has."""

    workdir: str = field("", "a run whose outputs are learned as well; empty: none")
    step: str = field("newest", "of its checkpoints: a number, newest or best")
    member: int = field(0, "of a population", ge=0)
    temperature: float = field(1.0, "T, that softens both distributions", gt=0)
    weight: float = field(0.5, "w of (1 - w) cross-entropy + w T^2 divergence", ge=0, le=1)


@dataclass(frozen=True)
class Teacher(TeacherFields):
    """The section `teacher` of families that classify."""

    member: int = field(0, "of a population; -1, with keep: for each seed its own", ge=-1)
    temperature: float = 4.0
    weight: float = 0.9
    features: tuple[str, ...] = field((), "pairs theirs=ours of layers, projected to match")
    feature_weight: float = field(1.0, "of the mean squared error of these", ge=0)
    attention: tuple[str, ...] = field((), "pairs theirs=ours of layers whose attention is matched")
    attention_weight: float = field(1.0, "of the squared error of these", ge=0)
    keep: bool = field(False, "its logits are computed once, at the start, and kept in the folder")
    widths: tuple[int, ...] = field((), "of its layers in features; the teacher decides them")

    def pairs(self, field: str = "features") -> list[tuple[str, str]]:
        """Returns the names of layers that `field` matches, the teacher's and the student's."""
        return [(a, b) for a, _, b in (pair.partition("=") for pair in getattr(self, field))]

    def check(self) -> None:
        """Raises `ConfigError` for fields that do not go together."""
        check_idle("teacher", self, (*_OF_ANY, "features", "attention", "keep"))
        for name in ("features", "attention"):
            if not all(a and b for a, b in self.pairs(name)):
                message = "must be theirs=ours, such as encoder.1=encoder.0"
                raise fail(f"teacher.{name}", getattr(self, name), message)
        if self.keep and (self.features or self.attention):
            message = "keeps logits alone; must be False with features or attention"
            raise fail("teacher.keep", True, message)
        if self.member < 0 and not self.keep:
            raise fail("teacher.member", self.member, "needs teacher.keep")


@dataclass(frozen=True)
class TargetTeacher(TeacherFields):
    """The section `teacher` of families of pairs."""

    targets: float = field(
        0.0,
        "share of training targets that are its beam search's, which is done once, at the start, "
        "and kept in the folder; the others are those of the data",
        ge=0,
        le=1,
    )
    beam: int = field(5, "width of that search; 1: greedy", ge=1)
    length_penalty: float = field(0.6, "of that search; 0: none", ge=0)

    def check(self) -> None:
        """Raises `ConfigError` for a teacher that is asked nothing, or is not there."""
        check_idle("teacher", self, (*_OF_ANY, "targets"))
        if self.workdir and not (self.weight or self.targets):
            raise fail("teacher.weight", self.weight, "must be above 0 without teacher.targets")


def no_layer(field: str, value: Any, name: str, layers: Iterable[str], whose: str) -> ConfigError:
    """Returns the error for a pair of a field that names a layer which there is not."""
    there = ", ".join(layers) or "none"
    return fail(f"teacher.{field}", value, f"{whose} has no {name}; there are {there}")


def layer_name(name: str) -> str:
    """Returns what a batch calls the output (…, D) of the teacher's layer `name`."""
    return f"teacher:{name}"


def map_name(name: str) -> str:
    """Returns what a batch calls the weights (B, H, T, T) of attention in the teacher's layer."""
    return f"teacher_map:{name}"
