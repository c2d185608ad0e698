"""Parameters that are split over devices, gathered where they are used.

Under `sharding=fsdp` each device holds a part of the parameters, and the rows of the batch. Left
to itself the compiler may send activations to where a parameter's part lies, which are larger. The
functions here say what is meant: a parameter is gathered at its use, in the dtype it is used in,
and activations stay with their rows; the gradient of what is gathered is scattered. Outside of
`split` they are the identity. Source: Rajbhandari et al. 2020 (ZeRO), section 5.3, third stage.
"""

from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, TypeVar

import jax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from genjax.core.ambient import setting

LAYERS = "layers"  # what stacked layers are called in parameters: each gathers its own
_Tree = TypeVar("_Tree")
_mesh: ContextVar[Mesh | None] = ContextVar("genjax_fsdp", default=None)


def split(mesh: Mesh) -> AbstractContextManager[None]:
    """Traces what is inside for parameters that are split over the devices of `mesh`."""
    return setting(_mesh, mesh)


def gathered(tree: _Tree) -> _Tree:
    """Returns the whole of each parameter, on each device."""
    mesh = _mesh.get()
    if mesh is None:
        return tree
    whole = NamedSharding(mesh, P())
    found: _Tree = jax.tree.map(lambda x: jax.lax.with_sharding_constraint(x, whole), tree)
    return found


def gathered_params(params: _Tree) -> _Tree:
    """Returns the whole of all parameters, but of those that `LAYERS` gather one by one."""
    if _mesh.get() is None:
        return params

    def one(path: Any, x: Any) -> Any:
        inside = any(getattr(key, "key", None) == LAYERS for key in path)
        return x if inside else gathered(x)

    found: _Tree = jax.tree_util.tree_map_with_path(one, params)
    return found


def rows(x: Any, axis: int = 0) -> Any:
    """Keeps an activation with the rows of its batch, which are along `axis`."""
    mesh = _mesh.get()
    if mesh is None:
        return x
    axes: list[Any] = [P.UNCONSTRAINED] * x.ndim
    axes[axis] = mesh.axis_names[0]
    return jax.lax.with_sharding_constraint(x, NamedSharding(mesh, P(*axes)))
