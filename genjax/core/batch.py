"""The global batch, whichever part of it this program sees: means and noise over all its rows.

Under jit, sharded or not, a step sees the global batch, and every function here is the identity.
Under `jax.pmap` over the axis `AXIS` a step sees its device's rows, and the same functions make
means global and give each device its own rows of the noise that is drawn for the global batch. The
axis is looked up while the step is traced, so a loss or a module needs no argument for it.

A kernel that the compiler cannot split over devices is told so: `on_rows` gives each device of the
mesh that the program is traced for, `over`, its rows and heads.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, TypeVar

import jax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from genjax.core.ambient import setting

_Tree = TypeVar("_Tree")
AXIS = "devices"  # the name that `jax.pmap` gives the devices of a step
MODEL = "model"  # the axis of a mesh whose devices share rows; see `genjax.core.split`
_mesh: ContextVar[Mesh | None] = ContextVar("genjax_mesh", default=None)


def batch_devices() -> int:
    """The number of devices that the batch is spread over by pmap; 0 outside of it."""
    try:
        return jax.lax.axis_size(AXIS)
    except NameError:
        return 0


def batch_mean(tree: _Tree) -> _Tree:
    """Averages every leaf over the devices."""
    return _over_devices(jax.lax.pmean, tree)


def batch_sum(tree: _Tree) -> _Tree:
    """Adds every leaf over the devices."""
    return _over_devices(jax.lax.psum, tree)


def batch_max(tree: _Tree) -> _Tree:
    """Takes the maximum of every leaf over the devices."""
    return _over_devices(jax.lax.pmax, tree)


def _over_devices(reduce: Callable[..., Any], tree: _Tree) -> _Tree:
    reduced: _Tree = reduce(tree, AXIS) if batch_devices() else tree
    return reduced


def batch_gather(x: jax.Array) -> jax.Array:
    """Returns the rows of all devices, in order, of an array whose first axis is the batch's."""
    return jax.lax.all_gather(x, AXIS, tiled=True) if batch_devices() else x


def batch_rows(draw: Callable[[tuple[int, ...]], jax.Array], shape: tuple[int, ...]) -> jax.Array:
    """Returns this device's rows of `draw(global shape)`; `shape` is the local one, (B, …)."""
    if not (devices := batch_devices()):
        return draw(shape)
    whole = draw((shape[0] * devices, *shape[1:]))
    return jax.lax.dynamic_slice_in_dim(whole, jax.lax.axis_index(AXIS) * shape[0], shape[0])


def over(mesh: Mesh) -> AbstractContextManager[None]:
    """Traces what is inside for a batch whose rows are along the first axis of `mesh`."""
    return setting(_mesh, mesh)


def rows_devices() -> int:
    """The number of devices that a sharded program spreads the batch over; 1 outside of `over`."""
    mesh = traced_mesh()
    return mesh.shape[mesh.axis_names[0]] if mesh else 1


def on_rows(
    f: Callable[..., Any], by_head: Sequence[jax.Array], by_row: Sequence[jax.Array] = ()
) -> Any:
    """Calls `f` with each device's rows of the arrays, a multiple of `rows_devices` each.

    Args:
      f: of all arrays; what it returns is by head.
      by_head: arrays (B, N, …) whose heads are split over `model`, if there is such an axis.
      by_row: arrays (B, …).
    """
    mesh = traced_mesh()
    if mesh is None:
        return f(*by_head, *by_row)
    rows, heads = P(mesh.axis_names[0]), P(*mesh.axis_names)
    specs = (*[heads] * len(by_head), *[rows] * len(by_row))
    split = jax.shard_map(f, mesh=mesh, in_specs=specs, out_specs=heads, check_vma=False)
    return split(*by_head, *by_row)


def traced_mesh() -> Mesh | None:
    """Returns the mesh of `over`, if it is not one device that is traced."""
    mesh = _mesh.get()
    if mesh is None or mesh.size == 1:
        return None
    try:
        jax.lax.axis_size(mesh.axis_names[0])
    except NameError:
        return mesh
    return None  # inside of a `jax.shard_map` over it
