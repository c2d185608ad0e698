"""A memory of examples: a reservoir for each of some groups, all of one size."""

from typing import Any

import jax
import jax.numpy as jnp

Memory = dict[str, Any]


def empty(num_groups: int, size: int, rows: Any) -> Memory:
    """Makes a memory of `num_groups` reservoirs of `size` rows.

    Args:
      rows: a tree of shapes and dtypes of one row each.
    """
    slots = num_groups * size
    kept = jax.tree.map(lambda s: jnp.zeros((slots, *s.shape), s.dtype), rows)
    return {"rows": kept, "seen": jnp.zeros((num_groups,), jnp.int32)}


def insert(memory: Memory, rows: Any, group_B: jax.Array, uniform_B: jax.Array) -> Memory:
    """Offers rows to the reservoirs of their groups, one after the other.

    Row number n of a group takes the next free slot; once all are taken, it takes a random one with
    probability size / n, so that at all times each row that was seen is there with the same
    probability (Vitter 1985, algorithm R; for replay Buzzega et al. 2020).

    Args:
      memory: of `empty`.
      rows: a tree of arrays (B, …).
      group_B: int32.
      uniform_B: uniform noise in [0, 1).
    """
    seen, size = memory["seen"], _size(memory)
    same_BxB = group_B[:, None] == group_B
    earlier_BxB = jnp.tri(len(group_B), k=-1, dtype=bool)
    number = seen[group_B] + (same_BxB & earlier_BxB).sum(1, dtype=jnp.int32)  # counted from 0
    drawn = jnp.floor(uniform_B * (number + 1)).astype(jnp.int32)
    place = jnp.where(number < size, number, drawn)
    nowhere = len(seen) * size
    slot = jnp.where(place < size, group_B * size + place, nowhere)
    later = ((slot[:, None] == slot) & earlier_BxB.T).any(1)  # of two in one slot the last stays
    taken = jnp.where(later, nowhere, slot)

    def put(kept: jax.Array, new: jax.Array) -> jax.Array:
        return kept.at[taken].set(new.astype(kept.dtype), mode="drop")

    return {
        "rows": jax.tree.map(put, memory["rows"], rows),
        "seen": seen.at[group_B].add(1),
    }


def draw(memory: Memory, num_groups: jax.Array, uniform_Bx2: jax.Array) -> Any:
    """Draws rows (B, …) from the first `num_groups` groups, all groups with the same probability.

    Where nothing is there yet, rows are zeros.
    """
    size, last = _size(memory), jnp.maximum(num_groups - 1, 0)
    group = jnp.minimum(jnp.floor(uniform_Bx2[:, 0] * num_groups).astype(jnp.int32), last)
    filled = jnp.minimum(memory["seen"][group], size)
    place = jnp.floor(uniform_Bx2[:, 1] * filled).astype(jnp.int32)
    slot = group * size + jnp.minimum(place, jnp.maximum(filled - 1, 0))
    return jax.tree.map(lambda kept: kept[slot], memory["rows"])


def _size(memory: Memory) -> int:
    first: jax.Array = jax.tree.leaves(memory["rows"])[0]
    return len(first) // len(memory["seen"])
