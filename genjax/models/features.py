"""What a network's layers compute on the way to its output, for those who ask.

A module offers its layers by `offer`, which costs nothing where nobody asks. `watched` asks: it
returns an object of the same methods, one of whose networks keeps what its layers offer.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import jax
from flax import linen as nn

_COLLECTION = "intermediates"  # the one that `Module.init` leaves out
_Owner = TypeVar("_Owner")


def asked(module: nn.Module) -> bool:
    """Says whether anybody wants to know the module's layers."""
    return module.is_mutable_collection(_COLLECTION)


def offer(module: nn.Module, output: jax.Array) -> None:
    """Offers the output (B, …) of the next layer."""
    module.sow(_COLLECTION, "layers", output)


def watched(owner: _Owner, **names: str) -> tuple[_Owner, dict[str, jax.Array]]:
    """Returns `owner` with networks that keep what their layers offer, and where they keep it.

        watching, layers = watched(family, encoder="encoder")
        code = watching.encode(state, x)  # now layers has "encoder.0", "encoder.1", …

    Args:
      owner: a dataclass.
      names: of the layers of each network, by the field that holds it.
    """
    layers: dict[str, jax.Array] = {}
    networks = {
        field: _Watched(getattr(owner, field), name, layers)
        for field, name in names.items()
        if getattr(owner, field) is not None
    }
    return dataclasses.replace(owner, **networks), layers  # type: ignore[type-var]


class _Watched:
    """A module whose `apply` also notes the outputs of layers in `layers`."""

    def __init__(self, network: nn.Module, name: str, layers: dict[str, jax.Array]):
        self._network, self._name, self._layers = network, name, layers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def apply(
        self, variables: Mapping[str, Any], *args: Any, mutable: Any = False, **options: Any
    ) -> Any:
        """Calls the module's own `apply`."""
        own: Sequence[str] = mutable or ()
        output, kept = self._network.apply(variables, *args, mutable=[*own, _COLLECTION], **options)
        for i, layer in enumerate(jax.tree.leaves(kept.get(_COLLECTION))):
            self._layers[f"{self._name}.{i}"] = layer
        return output if mutable is False else (output, {n: kept[n] for n in own if n in kept})
