"""Where arrays live: the mesh, and how state and batches lie on it."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from ml_collections import ConfigDict

from genjax.core import split
from genjax.core.batch import MODEL
from genjax.core.config import ConfigError, fail, mesh_axes
from genjax.core.family import Family

DATA_AXIS = "data"
_FSDP_MIN_SIZE = 1024  # elements; splitting less costs more than it saves


def make_mesh(
    devices: Sequence[jax.Device] | None = None, axes: Mapping[str, int] | None = None
) -> Mesh:
    """Makes a mesh over all devices of all processes, or those given.

    Args:
      devices: in order; those of a process stand side by side.
      axes: sizes by name, `data` and perhaps `model`, whose devices stand side by side as well;
        None: `data` alone.
    """
    devices = jax.devices() if devices is None else devices
    if not axes:
        return jax.make_mesh((len(devices),), (DATA_AXIS,), (AxisType.Auto,), devices=devices)
    kinds = (AxisType.Auto,) * len(axes)
    return Mesh(np.reshape(np.asarray(devices), tuple(axes.values())), tuple(axes), kinds)


def configured_mesh(
    config: ConfigDict, family: Family, devices: Sequence[jax.Device] | None = None
) -> Mesh:
    """Makes the mesh of `config.mesh`.

    Raises:
      ConfigError: it has not as many devices as there are, its model does not fit into a process,
        or the family has no layers that can be split over it.
    """
    devices = jax.devices() if devices is None else devices
    axes, text = mesh_axes(config.mesh), config.mesh
    if axes and (number := int(np.prod([*axes.values()]))) != len(devices):
        raise fail("mesh", text, f"must be of all devices, {len(devices)}, not of {number}")
    if (share := axes.get(MODEL, 1)) > 1:
        local = sum(d.process_index == devices[0].process_index for d in devices)
        if local % share:
            raise fail("mesh", text, f"model must divide the devices of a process, {local}")
        if not family.stacks:
            raise fail("mesh", text, f"family={config.family} has no layers that can be split")
        for layers in family.stacks:
            sizes = {"heads": layers.num_heads, "heads of keys and values": layers.groups}
            for name, size in (sizes | {"width in feed-forward networks": layers.hidden}).items():
                if size % share:
                    raise fail("mesh", text, f"model must divide the {name} of layers, {size}")
    return make_mesh(devices, axes)


def state_shardings(mesh: Mesh, state: Any, mode: str) -> Any:
    """Returns shardings for every leaf of `state`.

    Kernels of Transformer layers are split over `model`, where the mesh has it, by the axis of
    `split.model_axis`. `"data"` replicates all else. `"fsdp"` splits each leaf of at least 1,024
    elements along its largest other axis that the devices of `data` divide. Parameters and
    optimizer state are split alike: they have equal shapes, and paths that end alike.
    """

    def rule(path: Any, leaf: Any) -> NamedSharding:
        axes: list[str | None] = [None] * len(leaf.shape)
        shared = split.model_axis(path, leaf) if mesh.shape.get(MODEL, 1) > 1 else None
        if shared is not None:
            axes[shared] = MODEL
        parts = mesh.shape[DATA_AXIS]
        others = [i for i, n in enumerate(leaf.shape) if n and n % parts == 0 and i != shared]
        if mode == "fsdp" and others and np.prod(leaf.shape) >= _FSDP_MIN_SIZE:
            axes[max(others, key=lambda i: leaf.shape[i])] = DATA_AXIS
        return NamedSharding(mesh, P(*axes))

    return jax.tree_util.tree_map_with_path(rule, state)


def batch_sharding(mesh: Mesh, batch_axis: int) -> NamedSharding:
    """Spreads axis number `batch_axis` over the devices; the others are whole."""
    return NamedSharding(mesh, P(*[None] * batch_axis, DATA_AXIS))


def put(tree: Any, sharding: jax.sharding.Sharding) -> Any:
    """Puts host arrays, the same in every process, on devices under `sharding`."""
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(
        lambda x: jax.make_array_from_callback(np.shape(x), sharding, lambda i: np.asarray(x)[i]),
        tree,
    )


def put_rows(tree: Any, sharding: NamedSharding, batch_axis: int) -> Any:
    """Makes global arrays of host arrays that hold this process's rows of axis `batch_axis`."""
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)

    def assemble(x: np.ndarray) -> jax.Array:
        shape = list(x.shape)
        shape[batch_axis] *= jax.process_count()
        whole: jax.Array = jax.make_array_from_process_local_data(sharding, x, tuple(shape))
        return whole

    return jax.tree.map(assemble, tree)


def check_divisible(config: ConfigDict, parts: int) -> None:
    """Raises `ConfigError` unless devices divide the batch, its accumulated parts and shards.

    Args:
      config: the config.
      parts: of a batch, one for each device of `data`.
    """
    by = f"data of mesh={config.mesh}, {parts}" if config.mesh else f"number of devices, {parts}"
    if config.elastic % parts:
        raise fail("elastic", config.elastic, f"must be divisible by the {by}")
    if config.batch_size // config.accumulate_steps % parts:
        part = (
            f" / accumulate_steps={config.accumulate_steps}" if config.accumulate_steps > 1 else ""
        )
        raise ConfigError(
            f"config.batch_size={config.batch_size}{part}: must be divisible by the {by}"
        )
