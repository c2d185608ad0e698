"""Data that lives on the device, shuffled and indexed inside the jitted chunk."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core.family import Batch
from genjax.data.order import Shuffled
from genjax.data.source import Source


class Resident(Source):
    """Holds a split as whole arrays.

    Args:
      arrays: `"x"` (N, …), uint8 or float32, or tokens of the smallest unsigned type that holds
        them, and further arrays of N rows, such as `"label"` (N,) int32. They stay NumPy arrays
        until the engine puts them on a device.
      levels: what uint8 values of x are divided by: 255 for images, so that x is in [0, 1]; 0 for
        tokens.
      order: of the examples; by default `order.Shuffled`.

    Batches have `"x"` float32 (*batch, …), int32 for tokens; `"label"` int32 (*batch,) if there are
    labels; `"mask"` float32 (*batch,) in evaluation only.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], levels: int = 255, order: Any = None):
        self.arrays: Any = dict(arrays)
        self.num_examples = len(arrays["x"])
        self.levels = levels
        self.order = order or Shuffled(self.num_examples)

    def cursor(self, first_step: int, batch_shape: tuple[int, ...]) -> Any:
        """See `Source`."""
        return self.order.cursor(first_step, batch_shape)

    def plan(
        self, key: jax.Array, cursor: Any, num_steps: int, batch_shape: tuple[int, ...]
    ) -> jax.Array:
        """Plans the indices of some steps, int32 (num_steps, *batch_shape)."""
        return self.order.indices(jax.random.key_data(key), cursor, num_steps, batch_shape)

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """Makes the batch at indices `x`, or at `x["index"]` with `x["mask"]` in evaluation."""
        index, rest = (x["index"], {"mask": x["mask"]}) if isinstance(x, dict) else (x, {})
        rows = {k: _take(jnp.asarray(v), index) for k, v in arrays.items()}
        batch = decode(rows, self.levels)
        return {k: v.reshape(*index.shape, *arrays[k].shape[1:]) for k, v in batch.items()} | rest

    def part(self, rows: np.ndarray) -> "Resident":
        """Returns the split of some rows, a mask or indices, ordered as this one is."""
        arrays = {name: a[rows] for name, a in self.arrays.items()}
        return Resident(arrays, self.levels, self.order.part(rows))

    def evaluation(self, batch_size: int) -> dict[str, np.ndarray]:
        """Returns `index` int32 and `mask` float32, both (num_batches, batch_size)."""
        return evaluation_index(self.num_examples, batch_size)


def _take(v: jax.Array, index: jax.Array) -> jax.Array:
    """Takes rows `index` of `v`, each flattened: (*index.shape) of scalars, else (…, D)."""
    # XLA's code for CPU copies rows of one axis about ten times faster than rows of three.
    v = v.reshape(len(v), -1) if v.ndim > 1 else v
    # Indices come from `plan` or `evaluation`: no need to pay for a bounds check.
    return v.at[index].get(mode="promise_in_bounds")


def decode(rows: Mapping[str, Any], levels: int) -> Batch:
    """Makes a batch of stored rows: uint8 `x` becomes float32 in [0, 1], the rest stays.

    With `levels` 0 all unsigned integers are tokens and become int32.
    """
    if not levels:
        return {k: _token_ids(jnp.asarray(v)) for k, v in rows.items()}
    x = jnp.asarray(rows["x"])
    if x.dtype == jnp.uint8:
        x = x.astype(jnp.float32) / np.float32(levels)
    return {**{k: jnp.asarray(v) for k, v in rows.items()}, "x": x}


def _token_ids(v: jax.Array) -> jax.Array:
    return v.astype(jnp.int32) if jnp.issubdtype(v.dtype, jnp.unsignedinteger) else v


def evaluation_index(n: int, batch_size: int) -> dict[str, np.ndarray]:
    """Cuts all n rows in order into batches; pads the last one with row 0 under mask 0."""
    num_batches = -(-n // batch_size)
    index = np.arange(num_batches * batch_size, dtype=np.int64)
    mask = (index < n).astype(np.float32)
    index = np.where(index < n, index, 0).astype(np.int32)
    return {"index": index.reshape(num_batches, -1), "mask": mask.reshape(num_batches, -1)}
