"""Parameters that are split over devices: over `data` to be gathered, over `model` to stay.

Under `sharding=fsdp` each device holds a part of the parameters, and the rows of the batch. Left
to itself the compiler may send activations to where a parameter's part lies, which are larger. The
functions here say what is meant: a parameter is gathered at its use, in the dtype it is used in,
and activations stay with their rows; the gradient of what is gathered is scattered. Source:
Rajbhandari et al. 2020 (ZeRO), section 5.3, third stage.

On a mesh with an axis `model` devices that share the rows of a batch share the products of a layer
as well. Of two dense layers in a row, the first has the columns of its kernel split, so that each
device computes its own heads or its own part of the hidden layer, and the second has the rows of
its kernel split: what devices make of their parts is summed. In front of the first and behind the
second activations are whole. Source: Shoeybi et al. 2019 (Megatron-LM), section 3.

Outside of `gathering`, and without `model`, the functions are the identity.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from itertools import accumulate
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from genjax.core.ambient import setting
from genjax.core.batch import MODEL, traced_mesh

LAYERS = "layers"  # what stacked layers are called in parameters: each gathers its own
# Of stacked layers, the axis of kernels, and of biases if it is the last one, that is split over
# `model`. Where columns are of several parts, as of queries, keys and values, it is the rows of the
# kernel that a device keeps: see `columns`. (A path does not tell that `up` is gated, that is, of
# two parts: such a kernel is sent once more.)
_KERNELS = {"query": -1, "query_key_value": -2, "key_value": -2, "up": -1, "out": -2, "down": -2}
_Tree = TypeVar("_Tree")
_gathering: ContextVar[Mesh | None] = ContextVar("genjax_gathering", default=None)


def gathering(mesh: Mesh) -> AbstractContextManager[None]:
    """Traces what is inside for parameters that are split over the axis `data` of `mesh`."""
    return setting(_gathering, mesh)


def gathered(tree: _Tree) -> _Tree:
    """Returns the whole of each parameter, on each device."""
    mesh = _gathering.get()
    if mesh is None:
        return tree
    whole = NamedSharding(mesh, P())
    found: _Tree = jax.tree.map(lambda x: jax.lax.with_sharding_constraint(x, whole), tree)
    return found


def gathered_params(params: _Tree) -> _Tree:
    """Returns the whole of all parameters, but of those that `LAYERS` gather one by one.

    Of these, and so of their gradients, what is split over `model` stays so.
    """
    mesh = _model()
    if mesh is None and _gathering.get() is None:
        return params

    def one(path: Any, x: Any) -> Any:
        if LAYERS not in _names(path):
            return gathered(x)
        axis = model_axis(path, x)
        if mesh is None or axis is None:
            return x
        return _along(mesh, x, axis, MODEL)

    found: _Tree = jax.tree_util.tree_map_with_path(one, params)
    return found


def rows(x: Any, axis: int = 0) -> Any:
    """Keeps an activation with the rows of its batch, which are along `axis`."""
    mesh = _gathering.get()
    return x if mesh is None else _along(mesh, x, axis, mesh.axis_names[0])


def model_axis(path: Any, x: Any) -> int | None:
    """Returns the axis of a leaf of the state that is split over `model`; None: it is whole."""
    names = _names(path)
    axis = _KERNELS.get(names[-2]) if LAYERS in names else None
    if axis is None or (names[-1] == "bias" and axis != -1):
        return None
    return int(x.ndim) + axis


def columns(kernel_DxF: jax.Array, sizes: Sequence[int]) -> jax.Array:
    """Returns the kernel, or bias (F,), of a product whose features are split over `model`.

    Args:
      kernel_DxF: its columns are of parts that stand side by side.
      sizes: of the parts. Each device has its share of each; `parts` tells them apart.
    """
    mesh = _model()
    if mesh is None:
        return gathered(kernel_DxF)
    share, ends = mesh.shape[MODEL], list(accumulate(sizes))
    stored = 0 if kernel_DxF.ndim > 1 else None
    if len(sizes) > 1:
        kernel_DxF = _constrained(mesh, kernel_DxF, stored)
        each = jnp.split(kernel_DxF, ends[:-1], -1)
        found = [x.reshape(*x.shape[:-1], share, -1) for x in each]
        # All columns of a device's rows become all rows of its columns, at once.
        dealt = _constrained(mesh, jnp.concatenate(found, -1), stored)
        kernel_DxF = _constrained(mesh, dealt, -2).reshape(kernel_DxF.shape)
    return _constrained(mesh, kernel_DxF, -1)


def summands(kernel_FxD: jax.Array) -> jax.Array:
    """Returns the kernel of a product whose input's features are split over `model`."""
    mesh = _model()
    return gathered(kernel_FxD) if mesh is None else _constrained(mesh, kernel_FxD, 0)


def parts(x: jax.Array, sizes: Sequence[int], axis: int) -> list[jax.Array]:
    """Splits what `columns` of the same parts make, along `axis`, into the parts."""
    mesh, ends = _model(), list(accumulate(sizes))
    if mesh is None:
        return jnp.split(x, ends[:-1], axis)
    share, axis = mesh.shape[MODEL], axis % x.ndim
    before, behind = x.shape[:axis], x.shape[axis + 1 :]
    of_devices = x.reshape(*before, share, -1, *behind)
    found = jnp.split(of_devices, [end // share for end in ends[:-1]], axis + 1)
    return [x.reshape(*before, -1, *behind) for x in found]


def whole(x_BxTxD: jax.Array) -> jax.Array:
    """Keeps an activation whole on the devices of `model`, and so its gradient."""
    mesh = _model()
    return x_BxTxD if mesh is None else _constrained(mesh, x_BxTxD, None, of_rows=True)


def spread(x_BxTxF: jax.Array) -> jax.Array:
    """Keeps each feature of an activation on the device of `model` that computes it."""
    mesh = _model()
    return x_BxTxF if mesh is None else _constrained(mesh, x_BxTxF, -1, of_rows=True)


def _model() -> Mesh | None:
    """Returns the mesh that is traced for, if layers are split over it."""
    mesh = traced_mesh()
    return mesh if mesh and mesh.shape.get(MODEL, 1) > 1 else None


def _along(mesh: Mesh, x: Any, axis: int, name: str) -> Any:
    """Splits `axis` over the devices of `name`; how others lie is left to the compiler."""
    axes: list[Any] = [P.UNCONSTRAINED] * x.ndim
    axes[axis] = name
    return jax.lax.with_sharding_constraint(x, NamedSharding(mesh, P(*axes)))


def _constrained(mesh: Mesh, x: jax.Array, axis: int | None, of_rows: bool = False) -> jax.Array:
    """Splits `axis` over `model` and, with `of_rows`, the first over `data`; others are whole."""
    axes: list[Any] = [None] * x.ndim
    if of_rows:  # of few examples, as some are written for, none is split
        data = mesh.axis_names[0]
        axes[0] = P.UNCONSTRAINED if x.shape[0] % mesh.shape[data] else data
    if axis is not None:
        axes[axis] = MODEL
    found: jax.Array = jax.lax.with_sharding_constraint(x, NamedSharding(mesh, P(*axes)))
    return found


def _names(path: Any) -> list[str]:
    return [str(getattr(key, "key", getattr(key, "name", ""))) for key in path]
