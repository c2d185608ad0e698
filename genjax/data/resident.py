"""Data that lives on the device, shuffled and indexed inside the jitted chunk."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core.family import Batch
from genjax.data import order


class Resident:
    """A split held as whole arrays (see `genjax.data.source.Source`).

    Args:
      arrays: `"x"` (N, …), uint8 or float32, and if there are labels `"label"` (N,) int32. They
        stay NumPy arrays until the engine puts them on a device.
      levels: what uint8 values are divided by: 255 for images, so that x is in [0, 1].

    Batches:
      `"x"` float32 (*batch, …): uint8 divided by `levels`, float32 as it is; `"label"` int32
      (*batch,) if there are labels; `"mask"` float32 (*batch,) in evaluation only.
    """

    streamed = False

    def __init__(self, arrays: Mapping[str, np.ndarray], levels: int = 255):
        self.arrays: Any = dict(arrays)
        self.num_examples = len(arrays["x"])
        self.levels = levels

    def cursor(self, first_step: int, batch_shape: tuple[int, ...]) -> order.Cursor:
        """(epoch, offset) of step `first_step`, uint32 NumPy scalars, exact for any step."""
        return order.cursor(first_step, batch_shape, self.num_examples)

    def plan(
        self, key: jax.Array, cursor: order.Cursor, num_steps: int, batch_shape: tuple[int, ...]
    ) -> jax.Array:
        """Indices of `num_steps` steps, int32 (num_steps, *batch_shape)."""
        key_data = jax.random.key_data(key)
        return order.indices(key_data, cursor, num_steps, batch_shape, self.num_examples)

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """The batch at indices `x`, or at `x["index"]` with `x["mask"]` in evaluation."""
        index, rest = (x["index"], {"mask": x["mask"]}) if isinstance(x, dict) else (x, {})

        shape = arrays["x"].shape[1:]
        rows = {k: _take(jnp.asarray(v), index) for k, v in arrays.items()}
        batch = decode(rows, self.levels)
        return {**batch, "x": batch["x"].reshape(*index.shape, *shape)} | rest

    def stream(self, *args: Any, **kwargs: Any) -> Any:
        """Not for resident data."""
        raise NotImplementedError("resident data is planned, not streamed")

    def evaluation(self, batch_size: int) -> dict[str, np.ndarray]:
        """`index` int32 and `mask` float32, both (num_batches, batch_size); padding is row 0."""
        return evaluation_index(self.num_examples, batch_size)


def _take(v: jax.Array, index: jax.Array) -> jax.Array:
    """Rows `index` of `v`, each flattened: (*index.shape) of scalars, else (*index.shape, D)."""
    # XLA's code for CPU copies rows of one axis about ten times faster than rows of three.
    v = v.reshape(len(v), -1) if v.ndim > 1 else v
    # Indices come from `plan` or `evaluation`: no need to pay for a bounds check.
    return v.at[index].get(mode="promise_in_bounds")


def decode(rows: Mapping[str, Any], levels: int) -> Batch:
    """Stored rows as a batch: uint8 `x` becomes float32 in [0, 1], the rest stays."""
    x = jnp.asarray(rows["x"])
    if x.dtype == jnp.uint8:
        x = x.astype(jnp.float32) / np.float32(levels)
    return {**{k: jnp.asarray(v) for k, v in rows.items()}, "x": x}


def evaluation_index(n: int, batch_size: int) -> dict[str, np.ndarray]:
    """All n rows in order, cut into batches, the last one padded with row 0 under mask 0."""
    num_batches = -(-n // batch_size)
    index = np.arange(num_batches * batch_size, dtype=np.int64)
    mask = (index < n).astype(np.float32)
    index = np.where(index < n, index, 0).astype(np.int32)
    return {"index": index.reshape(num_batches, -1), "mask": mask.reshape(num_batches, -1)}
