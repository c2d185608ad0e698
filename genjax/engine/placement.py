"""Where arrays live: the mesh, and how state and batches lie on it."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from ml_collections import ConfigDict

from genjax.core.config import ConfigError

DATA_AXIS = "data"
_FSDP_MIN_SIZE = 1024  # elements; splitting less costs more than it saves


def make_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Makes a mesh of one axis, `data`, over all devices of all processes (or those given)."""
    devices = jax.devices() if devices is None else devices
    return jax.make_mesh((len(devices),), (DATA_AXIS,), (AxisType.Auto,), devices=devices)


def state_shardings(mesh: Mesh, state: Any, mode: str) -> Any:
    """Returns shardings for every leaf of `state`.

    `"data"` replicates. `"fsdp"` splits each leaf of at least 1,024 elements along its largest axis
    that the devices divide, parameters and optimizer state alike (they have equal shapes).
    """

    def rule(leaf: Any) -> NamedSharding:
        axes: list[str | None] = [None] * len(leaf.shape)
        divisible = [i for i, n in enumerate(leaf.shape) if n and n % mesh.size == 0]
        if mode == "fsdp" and divisible and np.prod(leaf.shape) >= _FSDP_MIN_SIZE:
            axes[max(divisible, key=lambda i: leaf.shape[i])] = DATA_AXIS
        return NamedSharding(mesh, P(*axes))

    return jax.tree.map(rule, state)


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


def check_divisible(config: ConfigDict, num_devices: int) -> None:
    """Raises `ConfigError` unless devices divide the batch, its accumulated parts and shards."""
    if config.elastic % num_devices:
        raise ConfigError(
            f"config.elastic={config.elastic}: must be divisible by the number of devices, "
            f"{num_devices}"
        )
    if config.batch_size // config.accumulate_steps % num_devices:
        part = (
            f" / accumulate_steps={config.accumulate_steps}" if config.accumulate_steps > 1 else ""
        )
        raise ConfigError(
            f"config.batch_size={config.batch_size}{part}: must be divisible by the number of "
            f"devices, {num_devices}"
        )
