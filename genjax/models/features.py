"""What a network's layers compute on the way to its output, for those who ask.

A module offers its layers by `offer`, which costs nothing where nobody asks. `watched` asks: it
returns an object of the same methods, one of whose networks keeps what its layers offer.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from flax import linen as nn

_COLLECTION = "intermediates"  # the one that `Module.init` leaves out
_MAPS = "attention_maps"  # that of weights of attention
SOWN = (_COLLECTION,)  # where a layer puts such weights
_Owner = TypeVar("_Owner")


def asked(module: nn.Module) -> bool:
    """Says whether anybody wants to know the module's layers."""
    return module.is_mutable_collection(_COLLECTION)


def offer(module: nn.Module, output: jax.Array) -> None:
    """Offers the output (B, …) of the next layer."""
    module.sow(_COLLECTION, "layers", output)


def maps_asked(module: nn.Module) -> bool:
    """Says whether anybody wants to know the weights of the module's attention."""
    return module.is_mutable_collection(_MAPS) and not module.is_initializing()


def offer_map(module: nn.Module, weights: jax.Array) -> None:
    """Offers the weights (B, H, Q, K) of the next layer's attention."""
    module.sow(_MAPS, "layers", weights)


def sown_weights(kept: Mapping[str, Any], part: str) -> jax.Array:
    """Takes from what a layer sowed the weights (B, H, Q, K) of its attention `part`."""
    (weights,) = kept[_COLLECTION][part]["weights"]
    weights = weights.reshape(len(weights), -1, *weights.shape[3:])
    total = weights.sum(-1, keepdims=True)
    found: jax.Array = weights / jnp.where(total == 0, 1, total)
    return found


def offered(network: nn.Module, params: Any, *args: Any, **options: Any) -> list[jax.Array]:
    """Computes what the layers of a network of these parameters offer, the first layer first."""
    _, kept = network.apply({"params": params}, *args, mutable=[_COLLECTION], **options)
    return jax.tree.leaves(kept[_COLLECTION])


def watched(
    owner: _Owner, maps: dict[str, jax.Array] | None = None, **names: str
) -> tuple[_Owner, dict[str, jax.Array]]:
    """Returns `owner` with networks that keep what their layers offer, and where they keep it.

        watching, layers = watched(family, encoder="encoder")
        code = watching.encode(state, x)  # now layers has "encoder.0", "encoder.1", …

    Args:
      owner: a dataclass.
      maps: takes the weights of attention, by layer, if they are wanted.
      names: of the layers of each network, by the field that holds it.
    """
    layers: dict[str, jax.Array] = {}
    networks = {
        field: _Watched(getattr(owner, field), name, layers, maps)
        for field, name in names.items()
        if getattr(owner, field) is not None
    }
    return dataclasses.replace(owner, **networks), layers  # type: ignore[type-var]


class _Watched:
    """A module whose `apply` also notes the outputs of layers, and maps of attention if wanted."""

    def __init__(self, network: nn.Module, name: str, layers: Any, maps: Any):
        self._network, self._name = network, name
        self._kept = {_COLLECTION: layers} | ({} if maps is None else {_MAPS: maps})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def apply(
        self, variables: Mapping[str, Any], *args: Any, mutable: Any = False, **options: Any
    ) -> Any:
        """Calls the module's own `apply`."""
        own: Sequence[str] = mutable or ()
        mutable_now = [*own, *self._kept]
        output, kept = self._network.apply(variables, *args, mutable=mutable_now, **options)
        for collection, found in self._kept.items():
            for i, layer in enumerate(jax.tree.leaves(kept.get(collection))):
                found[f"{self._name}.{i}"] = layer
        return output if mutable is False else (output, {n: kept[n] for n in own if n in kept})
