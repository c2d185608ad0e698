"""The same numbers on any number of devices: a batch is a fixed number of shards.

A sum of floating point numbers depends on its order, and a compiled product on its shape. Under
`elastic=8` a gradient is therefore that of eight shards of the batch, each computed by the same
program whatever number of them a device has, gathered, and added in one fixed order. All else is
computed whole on each device. What mixes the rows of a batch, as batch norm does, mixes those of a
shard: with `elastic` its statistics are of a shard (Hoffer et al. 2017, ghost batch norm).

The shards of a device run in a loop whose length the compiler is not told, so that it makes the
same program of the inside for one round as for eight. A CPU needs as many threads for one device as
for eight, as it splits long sums among them: see docs/devices.md.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from genjax.core.ambient import setting


class Shards(NamedTuple):
    """The devices, and the number of shards, which they divide; a power of two."""

    mesh: Mesh
    number: int


_shards: ContextVar[Shards | None] = ContextVar("genjax_elastic", default=None)


def shards(mesh: Mesh, number: int) -> AbstractContextManager[None]:
    """Traces what is inside for a batch of `number` shards."""
    return setting(_shards, Shards(mesh, number))


def number() -> int:
    """Returns the number of shards of a batch; 0: it is one whole."""
    found = _shards.get()
    return found.number if found else 0


def each(f: Callable[..., Any], rows: Any, given: Any) -> Any:
    """Computes `f(rows of a shard, its int32 number, given)` of all, stacked, on every device.

    Outside of `shards` the whole batch is one shard.

    Args:
      f: of arrays; not differentiated through.
      rows: pytree whose leaves have the batch as their first axis.
      given: pytree of what all shards have in common, such as parameters.
    """
    found = _shards.get()
    if found is None:
        return jax.tree.map(lambda x: x[None], f(rows, jnp.int32(0), given))
    mesh, count = found
    parts = jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), rows)
    axis = mesh.axis_names[0]

    def of_device(numbers: jax.Array, parts: Any, given: Any) -> Any:
        def one(i: Any) -> Any:
            part = jax.tree.map(lambda x: jax.lax.dynamic_index_in_dim(x, i, keepdims=False), parts)
            return f(part, jax.lax.dynamic_index_in_dim(numbers, i, keepdims=False), given)

        def put(i: Any, stacked: Any) -> Any:
            return jax.tree.map(
                lambda a, x: jax.lax.dynamic_update_index_in_dim(a, x, i, 0), stacked, one(i)
            )

        local = len(numbers)
        if local == 1:  # one that does not vary is computed in part in front of the loop
            numbers, parts = jax.tree.map(lambda x: jnp.concatenate([x, x]), (numbers, parts))
        shapes = jax.eval_shape(one, 0)
        empty = jax.tree.map(lambda s: jnp.zeros((len(numbers), *s.shape), s.dtype), shapes)
        rounds = jax.lax.optimization_barrier(jnp.int32(local))  # see above
        stacked = jax.lax.fori_loop(0, rounds, put, empty)
        return jax.tree.map(lambda x: x[:local], stacked)

    split = jax.shard_map(
        of_device,
        mesh=mesh,
        in_specs=(P(axis), P(axis), P()),
        out_specs=P(axis),
        check_vma=False,
    )
    return whole(split(jnp.arange(count), parts, given))


def whole(tree: Any) -> Any:
    """Puts all of each array on every device."""
    found = _shards.get()
    if found is None:
        return tree
    everywhere = NamedSharding(found.mesh, P())
    return jax.tree.map(lambda x: jax.lax.with_sharding_constraint(x, everywhere), tree)


def mean(stacked: Any) -> Any:
    """Averages what `each` returned, in one fixed order."""

    def one(x: jax.Array) -> jax.Array:
        count = len(x)
        while len(x) > 1:
            x = x[0::2] + x[1::2]
        return x[0] / count

    return jax.tree.map(one, stacked)
