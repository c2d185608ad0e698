"""Streams data too large for the device from its memory map. Only this module imports grain."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from genjax.core.family import Batch
from genjax.data.in_memory import decode, evaluation_index
from genjax.data.order import Shuffled
from genjax.data.source import Source

_THREADS = 4
_BATCHES_AHEAD = 8


class Streamed(Source):
    """Reads a split from disk batch by batch: those that `Resident` would make.

    Args:
      arrays: memory-mapped, as those of `Resident`; host elements have these dtypes.
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
        """See `Source`."""
        return self.order.cursor(first_step, batch_shape)

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """See `Source`."""
        return decode(x, self.levels)

    def stream(
        self,
        key_data: np.ndarray,
        first_step: int,
        last_step: int,
        batch_shape: tuple[int, ...],
        rows: slice = slice(None),
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yields host elements of steps first_step … last_step-1, read ahead by threads.

        Each is a dict of arrays (*batch_shape, …), the last axis of `batch_shape` cut to `rows`.
        """
        key_data = np.asarray(key_data)

        def batch(step: int) -> dict[str, np.ndarray]:
            at = self.cursor(step, batch_shape)
            index = self.order.indices(key_data, at, 1, batch_shape, np)[0, ..., rows]
            return {k: v[index] for k, v in self.rows.items()}

        return _ahead(batch, range(first_step, last_step))

    def evaluation(self, batch_size: int) -> Iterator[dict[str, np.ndarray]]:
        """Yields the split in order: elements of `batch_size` rows and their float32 `mask`."""
        plan = self._evaluation_index(batch_size)

        def batch(i: int) -> dict[str, np.ndarray]:
            rows = {k: v[plan["index"][i]] for k, v in self.rows.items()}
            return rows | {"mask": plan["mask"][i]}

        return _ahead(batch, range(len(plan["mask"])))

    def _evaluation_index(self, batch_size: int) -> dict[str, np.ndarray]:
        return evaluation_index(self.num_examples, batch_size)


def _ahead(batch: Callable[[int], dict[str, np.ndarray]], numbers: range) -> Iterator[Any]:
    """Yields the batches of some numbers, which threads read ahead."""
    import grain

    options = grain.ReadOptions(num_threads=_THREADS, prefetch_buffer_size=_BATCHES_AHEAD)
    steps = grain.MapDataset.range(numbers.start, numbers.stop)
    return iter(steps.map(batch).to_iter_dataset(options))
