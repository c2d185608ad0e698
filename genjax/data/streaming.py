"""Data too large for the device, streamed from its memory map. Only this module imports grain."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from genjax.core.family import Batch
from genjax.data.in_memory import decode, evaluation_index
from genjax.data.order import Shuffled

_THREADS = 4
_BATCHES_AHEAD = 8


class Streamed:
    """A split read from disk batch by batch (see `genjax.data.source.Source`).

    Batch i holds the examples that `genjax.data.in_memory.Resident` would put into it.

    Args:
      arrays: memory-mapped, as those of `Resident`; host elements have these dtypes, `fetch` makes
        of them what `Resident` makes.
      levels: what uint8 values of x are divided by; 0 for tokens.
      order: of the examples; by default `order.Shuffled`.
    """

    streamed = True

    def __init__(self, arrays: Mapping[str, Any], levels: int = 255, order: Any = None):
        self.rows = dict(arrays)
        self.arrays: Any = {}
        self.num_examples = len(arrays["x"])
        self.levels = levels
        self.order = order or Shuffled(self.num_examples)

    def cursor(self, first_step: int, batch_shape: tuple[int, ...]) -> Any:
        """Where step `first_step` starts, uint32 NumPy scalars, exact for any step."""
        return self.order.cursor(first_step, batch_shape)

    def plan(self, *args: Any, **kwargs: Any) -> Any:
        """Not for streamed data."""
        raise NotImplementedError("streamed data comes from stream()")

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """The batch for a host element: uint8 `x` becomes float32 in [0, 1]."""
        return decode(x, self.levels)

    def stream(
        self, key_data: np.ndarray, first_step: int, last_step: int,
        batch_shape: tuple[int, ...], rows: slice = slice(None),
    ) -> Iterator[dict[str, np.ndarray]]:  # fmt: skip
        """Host elements of steps first_step … last_step-1, read ahead by threads.

        Each is a dict of arrays (*batch_shape, …), the last axis of `batch_shape` cut to `rows`.
        """
        import grain

        key_data = np.asarray(key_data)

        def batch(step: int) -> dict[str, np.ndarray]:
            at = self.cursor(step, batch_shape)
            index = self.order.indices(key_data, at, 1, batch_shape, np)[0, ..., rows]
            return {k: v[index] for k, v in self.rows.items()}

        options = grain.ReadOptions(num_threads=_THREADS, prefetch_buffer_size=_BATCHES_AHEAD)
        steps = grain.MapDataset.range(first_step, last_step)
        return iter(steps.map(batch).to_iter_dataset(options))

    def evaluation(self, batch_size: int) -> Iterator[dict[str, np.ndarray]]:
        """The split in order: elements of `batch_size` rows and their float32 `mask`."""
        import grain

        plan = self._evaluation_index(batch_size)

        def batch(i: int) -> dict[str, np.ndarray]:
            rows = {k: v[plan["index"][i]] for k, v in self.rows.items()}
            return rows | {"mask": plan["mask"][i]}

        options = grain.ReadOptions(num_threads=_THREADS, prefetch_buffer_size=_BATCHES_AHEAD)
        batches = grain.MapDataset.range(len(plan["mask"]))
        return iter(batches.map(batch).to_iter_dataset(options))

    def _evaluation_index(self, batch_size: int) -> dict[str, np.ndarray]:
        return evaluation_index(self.num_examples, batch_size)
