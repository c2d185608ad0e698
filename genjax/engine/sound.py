"""The step of a family as training makes it: whether what it computes is finite, and if not."""

from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from genjax.core.family import Family, State


def sound_step(family: Family, config: ConfigDict, state: State, batch: Any) -> tuple[State, Any]:
    """Makes the family's step; under `on_divergence=skip` none that is not finite."""
    new, metrics = family.step(state, batch)
    if config.on_divergence != "skip":
        return new, metrics
    finite = all_finite(metrics) & all_finite(new)
    kept = jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, state)
    metrics = jax.tree.map(lambda m: jnp.where(finite, m, 0.0), metrics)
    # The step counts on, so that the next one has other data and noise.
    return kept.replace(step=new.step, key=new.key), metrics | {"skipped": 1.0 - finite}


def all_finite(tree: Any) -> jax.Array:
    """Says whether every float in the arrays of a tree is finite."""
    floats = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)]
    return jnp.all(jnp.stack([jnp.isfinite(x).all() for x in floats]))
