"""States as checkpoints hold them: leaves by name, in buffers of their own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core.config import ConfigError


def leaves_of(tree: Any) -> dict[str, Any]:
    """Returns the leaves under readable names; one flat dict, whatever containers hold them."""
    pairs = jax.tree_util.tree_flatten_with_path(tree)[0]
    named = {jax.tree_util.keystr(path, simple=True, separator="."): x for path, x in pairs}
    if len(named) != len(pairs):
        raise ValueError("two leaves of the state have the same name")
    return named


class Rows(NamedTuple):
    """Rows of a table: `values` (N, D) at the numbers `index` (N,)."""

    index: Any
    values: Any


def replaced(tree: Any, leaves: Mapping[str, Any]) -> Any:
    """Puts leaves, or rows of them, in the place of those of their names.

    What one member has is put into each member of a population.
    """

    def put(path: Any, old: Any) -> Any:
        new = leaves.get(jax.tree_util.keystr(path, simple=True, separator="."))
        if isinstance(new, Rows):
            return old.at[..., new.index, :].set(new.values)
        return old if new is None else jnp.broadcast_to(new, old.shape)

    return jax.tree_util.tree_map_with_path(put, tree)


def is_key(x: Any) -> bool:
    """Says whether a leaf is a key of random numbers, which is stored as its integers."""
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def describe(x: Any) -> str:
    """Returns dtype and shape, as in `float32[3,4]`."""
    return f"{x.dtype}[{','.join(map(str, x.shape))}]"


def detached(leaves: dict[str, Any]) -> dict[str, Any]:
    """Returns the leaves as orbax stores them, keys as their integers, in buffers nobody donates.

    On CPU orbax reads the buffers in place while it writes, and a step that donates a buffer with a
    reader copies it instead, and waits; one copied here spares all later steps that. On other
    devices orbax has its own copy on the host before `save` returns.
    """
    on_cpu = jax.default_backend() == "cpu"
    filled = {name: x for name, x in leaves.items() if x.size}  # orbax refuses empty arrays
    return {**filled, **_copy({n: x for n, x in filled.items() if on_cpu or is_key(x)})}


@jax.jit
def _copy(leaves: dict[str, Any]) -> dict[str, Any]:
    return {n: jax.random.key_data(x) if is_key(x) else jnp.copy(x) for n, x in leaves.items()}


def stored_like(x: Any) -> jax.ShapeDtypeStruct:
    """Returns shape, dtype and sharding of what `detached` makes of a leaf like `x`."""
    y = jax.eval_shape(jax.random.key_data, x) if is_key(x) else x
    sharding = x.sharding or jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.ShapeDtypeStruct(y.shape, y.dtype, sharding=sharding)


def read_leaves(path: Path, stored: dict[str, jax.ShapeDtypeStruct]) -> dict[str, jax.Array]:
    """Reads the named leaves of what orbax wrote, each device's part where it lies.

    TensorStore reads them without an event loop. Orbax's restore closes its loop at the first leaf
    that cannot be read, and each of the others then ends in a traceback on stderr.

    Raises:
      OSError, ValueError: a leaf is absent, not readable, or of another shape or dtype.
    """
    import tensorstore  # 0.1 s, and only where a state is read

    source = {"driver": "ocdbt", "base": path.as_uri()}
    context = tensorstore.Context()
    opened = {
        name: tensorstore.open(
            {"driver": "zarr", "kvstore": source | {"path": f"{name}/"}},
            open=True,
            read=True,
            dtype=x.dtype.name,
            shape=x.shape,
            context=context,
        )
        for name, x in stored.items()
    }
    places = {n: x.sharding.addressable_devices_indices_map(x.shape) for n, x in stored.items()}
    parts = {}
    for name, of in places.items():
        distinct = {str(index): index for index in of.values()}  # replicas share one
        array = opened[name].result()
        parts[name] = {key: array[index].read() for key, index in distinct.items()}
    leaves: dict[str, jax.Array] = {}
    for name, x in stored.items():
        read = {key: np.asarray(part.result()) for key, part in parts.pop(name).items()}
        # Put, since what crosses to a device unasked is refused where somebody guards it.
        each = [jax.device_put(read[str(i)], device) for device, i in places[name].items()]
        leaves[name] = jax.make_array_from_single_device_arrays(x.shape, x.sharding, each)
    return leaves


def placed(raw: dict[str, Any], wanted: dict[str, Any]) -> list[Any]:
    """Returns the restored leaves in the order of `wanted`, in buffers of XLA's own.

    Buffers made of arrays on the host are not always donatable (jax issue 18617); one pass through
    jit makes them like any state that a step returned.
    """

    def own(raw: dict[str, Any]) -> list[Any]:
        return [filled(x, raw.get(name)) for name, x in wanted.items()]

    shardings = [stored_like(x).sharding for x in wanted.values()]
    owned: list[Any] = jax.jit(own, out_shardings=shardings)(raw)
    return owned


def filled(template: Any, x: Any) -> jax.Array:
    """Returns a stored leaf as the state has it; None: it is empty and was not stored."""
    if x is None:  # empty, so not stored
        return jnp.zeros(template.shape, template.dtype)
    if not is_key(template):
        return jnp.copy(x)
    impls: list[Any] = []
    jax.eval_shape(lambda key: impls.append(jax.random.key_impl(key)), template)
    key: jax.Array = jax.random.wrap_key_data(x, impl=impls[0])
    return key


def check_spec(path: Path, stored: dict[str, str], wanted: dict[str, Any]) -> None:
    """Raises `ConfigError` at the first leaf in which the checkpoint differs from the config."""
    spec = {name: describe(x) for name, x in wanted.items()}
    for name in sorted(spec.keys() | stored.keys()):
        if spec.get(name) != stored.get(name):
            raise ConfigError(
                f"{path}: the checkpoint is of another config: {name} is "
                f"{stored.get(name, 'absent')} in it and {spec.get(name, 'absent')} in this one"
            )
