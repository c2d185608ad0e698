"""The fields that families with a recurrent network share."""

from dataclasses import dataclass
from typing import Any

from genjax.core.fields import field
from genjax.models.recurrent import Recurrent
from genjax.ops.recurrence import CELLS

_ATTRIBUTES = ("hidden", "cell", "layers", "dropout", "recurrent_dropout", "variational")


@dataclass(frozen=True)
class RecurrentFields:
    """The section `model` of such a family, to which it adds its own fields."""

    cell: str = field("lstm", "of the recurrent network", choices=CELLS)
    embed_dim: int = field(128, "width of a token's vector", ge=1)
    hidden: int = field(256, "units of each layer, in each direction", ge=1)
    layers: int = field(1, "of the recurrent network", ge=0)
    dropout: float = field(0.0, "of each layer's inputs and of the last one's outputs", ge=0, lt=1)
    recurrent_dropout: float = field(0.0, "of h within a layer; one mask a sequence", ge=0, lt=1)
    variational: bool = field(False, "one mask a sequence in `dropout` too")


def make_recurrent(m: RecurrentFields, dtype: Any, **changes: Any) -> Recurrent:
    """Makes the network of these fields; `changes` replace its attributes, as `bidirectional`."""
    attributes: dict[str, Any] = {name: getattr(m, name) for name in _ATTRIBUTES}
    return Recurrent(**attributes | changes, dtype=dtype)
