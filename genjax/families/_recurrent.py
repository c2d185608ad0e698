"""What families with a recurrent network share: the fields of the network, and their checks."""

from typing import Any

from ml_collections import ConfigDict

from genjax.core.config import choose, fail
from genjax.models.recurrent import CELLS, Recurrent


def recurrent_fields(**changes: Any) -> ConfigDict:
    """The section `model` of such a family, to which it adds its own; `changes` are of defaults."""
    m = ConfigDict()
    m.cell = "lstm"  # or "gru", "rnn"
    m.embed_dim = 128  # width of a token's vector
    m.hidden = 256  # units of each layer, in each direction
    m.layers = 1
    m.dropout = 0.0  # of each layer's inputs and of the last one's outputs
    m.recurrent_dropout = 0.0  # of h within a layer; one mask a sequence
    m.variational = False  # one mask a sequence in `dropout` too
    m.update(changes)
    return m


def make_recurrent(m: ConfigDict, dtype: Any, **changes: Any) -> Recurrent:
    """The network of `recurrent_fields`; `changes` replace its attributes, as `bidirectional`."""
    fields = ("hidden", "cell", "layers", "dropout", "recurrent_dropout", "variational")
    attributes: dict[str, Any] = {name: m[name] for name in fields}
    return Recurrent(**attributes | changes, dtype=dtype)


def check_recurrent(m: ConfigDict, least_layers: int = 1) -> None:
    """Raises `ConfigError` for a field of `recurrent_fields` that is out of range."""
    choose("model.cell", m.cell, CELLS)
    for field, least in (("embed_dim", 1), ("hidden", 1), ("layers", least_layers)):
        if m[field] < least:
            raise fail(f"model.{field}", m[field], f"must be at least {least}")
    check_rates(m, "dropout", "recurrent_dropout")


def check_rates(m: ConfigDict, *fields: str) -> None:
    """Raises `ConfigError` unless each of these fields is a rate at which things are dropped."""
    for field in fields:
        if not 0 <= m[field] < 1:
            raise fail(f"model.{field}", m[field], "must be at least 0 and below 1")
