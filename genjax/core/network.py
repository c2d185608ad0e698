"""Networks as functions of their parameters."""

from typing import Any, cast

import flax.linen as nn
import jax


def applied(network: nn.Module, params: Any, *args: Any, **options: Any) -> jax.Array:
    """Computes the array that a network of these parameters returns; see `flax.linen.Module.apply`.

    For networks that return one array, whatever the method: flax cannot know, and types it as any.
    """
    return cast(jax.Array, network.apply({"params": params}, *args, **options))
