"""Declared fields: what is read back, what is refused in which words, and that all are declared."""

import math
from dataclasses import dataclass

import pytest
from ml_collections import ConfigDict

from genjax import data, families, recipes
from genjax.core.config import Base, ConfigError, base, validate
from genjax.core.fields import Field, described, field, read, section, subsection
from genjax.engine.run import prepare
from tests.contracts import recipes as tiny


@dataclass(frozen=True)
class Inner:
    """A section within a section."""

    rate: float = field(0.1, "a share", gt=0, lt=1)
    widths: tuple[int, ...] = field((8, 8), "of layers", ge=1)


@dataclass(frozen=True)
class Model:
    """A section."""

    network: str = field("mlp", "the kind", choices=("mlp", "conv"))
    share: float = field(0.5, "another one", ge=0, le=1)
    inner: Inner = subsection(Inner, rate=0.2)


@dataclass(frozen=True)
class Other(Model):
    """The same with other defaults."""

    network: str = "conv"


def test_a_section_is_read_back_as_what_declares_it():
    config = base(model=section(Other, share=0.25))
    assert config.model.to_dict() == {
        "network": "conv",
        "share": 0.25,
        "inner": {"rate": 0.2, "widths": (8, 8)},
    }
    assert read(Other, config, "model") == Other(share=0.25)


def test_fields_are_described_with_the_defaults_of_their_family():
    assert list(described(Other, "model")) == [
        Field("model.network", "conv", "one of mlp, conv", "the kind"),
        Field("model.share", 0.5, "between 0 and 1", "another one"),
        Field("model.inner.rate", 0.2, "above 0 and below 1", "a share"),
        Field("model.inner.widths", (8, 8), "whole numbers of at least 1", "of layers"),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": "rnn"}, r"^config.model.network='rnn': must be one of mlp, conv$"),
        ({"share": 1.5}, r"^config.model.share=1.5: must be between 0 and 1$"),
        ({"inner": {"rate": 1.0}}, r"^config.model.inner.rate=1.0: must be above 0 and below 1$"),
        ({"inner": {"widths": (8, 0)}}, r"inner.widths=\(8, 0\): must be whole numbers of at le"),
    ],
)
def test_a_value_out_of_range_is_refused(changes, message):
    config = base(model=section(Other))
    config.model.update(changes)
    with pytest.raises(ConfigError, match=message):
        read(Other, config, "model")


@pytest.mark.parametrize("family", families.names())
def test_every_field_of_a_family_is_declared_and_its_default_allowed(family):
    config, found = families.default_config(family), families.described(family)
    assert dict(recipes.flat(config)) == {f.name: f.default for f in found}
    assert all(f.meaning and "\n" not in f.meaning for f in found)
    config.steps = 1
    validate(config)
    read(Base, config)


@pytest.mark.parametrize("recipe", tiny.names())
def test_examples_of_a_step_are_known_before_the_family_is_built(recipe, tmp_path_factory):
    config = tiny.tiny(recipe, tmp_path_factory.getbasetemp() / "examples_per_step")
    family = families.build(config, data.load(config.data).spec, config.steps)
    assert families.examples_per_step(config) == math.prod(family.batch_shape)


def test_a_family_that_consumes_another_number_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(families, "examples_per_step", lambda config: 1)
    prepare(tiny.tiny("autoencoder", tmp_path))  # whose length is in steps
    with pytest.raises(ConfigError, match=r"a step of it consumes 16 examples, not 1; its file"):
        prepare(tiny.tiny("autoencoder", tmp_path, steps=0, epochs=1.0))


def test_a_family_of_ones_own_need_not_declare_its_fields(monkeypatch):
    from genjax.families import _own

    monkeypatch.setattr(_own, "find", lambda name: _own.Own(object(), None, ""))
    assert families.described("mine") == list(described(Base))
    assert families.examples_per_step(ConfigDict({"family": "mine", "batch_size": 7})) == 7
