"""The metrics of a chunk's steps, as the loop over them carries them.

An accelerator starts a kernel for each array that a step writes into: there they share one.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from genjax.ops.platform import lowering

Rows = dict[tuple[str, ...], jax.Array]  # by names: (steps,) of one, (steps, names) of several


def empty(names: Mapping[str, object], steps: int) -> Rows:
    """Makes rows of zeros for metrics of these names."""
    groups: list[tuple[str, ...]] = [(name,) for name in names]
    if lowering("metrics of steps") == "together":
        groups = [tuple(names)]
    return {g: jnp.zeros((steps, len(g))[: 1 if len(g) == 1 else 2], jnp.float32) for g in groups}


def put(rows: Rows, i: jax.Array, metrics: Mapping[str, jax.Array]) -> Rows:
    """Writes the metrics of step `i`."""

    def row(names: tuple[str, ...]) -> jax.Array:
        values = [metrics[name].astype(jnp.float32) for name in names]
        return values[0] if len(values) == 1 else jnp.stack(values)

    return {
        names: jax.lax.dynamic_update_index_in_dim(x, row(names), i, axis=0)
        for names, x in rows.items()
    }


def by_name(rows: Rows) -> dict[str, jax.Array]:
    """Takes rows apart: of each metric (steps,)."""
    return {
        name: x if len(names) == 1 else x[:, k]
        for names, x in rows.items()
        for k, name in enumerate(names)
    }
