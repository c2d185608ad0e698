"""Networks as functions of their parameters."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

import flax.linen as nn
import jax


def applied(
    network: nn.Module,
    params: Any,
    *args: Any,
    variables: Mapping[str, Any] = MappingProxyType({}),
    **options: Any,
) -> jax.Array:
    """Computes the array that a network of these parameters returns; see `flax.linen.Module.apply`.

    `variables` are what it carries beside them.

    For networks that return one array, whatever the method: flax cannot know, and types it as any.
    """
    return cast(jax.Array, network.apply({"params": params, **variables}, *args, **options))
