"""A training split whose batches carry what a teacher says of their examples."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from genjax.core.family import Batch
from genjax.data.in_memory import Resident
from genjax.data.source import Source, rows

Teach = Callable[[Any, jax.Array], dict[str, jax.Array]]
_AT_ONCE = 500  # rows that the teacher sees, where its outputs are kept


class Taught(Source):
    """Asks the teacher about each batch, in the program that fetches it.

    The teacher's parameters are arrays of the split: they reach the program as those of the
    examples do, once for all members of a population, and are in no state and no checkpoint.

    Args:
      source: the split.
      teach: `teach(params, x) -> outputs by name`, each with the examples as its first axis.
      params: of the teacher, a pytree of host arrays.

    Training batches have the outputs beside the examples; those of evaluation are of `source`.
    """

    def __init__(self, source: Source, teach: Teach, params: Any):
        self._source, self._teach = source, teach
        self.num_examples, self.streamed = source.num_examples, source.streamed
        self.arrays: Any = {"examples": source.arrays, "teacher": params}
        self.rows = getattr(source, "rows", source.arrays)

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """See `Source`."""
        batch = self._source.fetch(arrays["examples"], x)
        if "mask" in batch:
            return batch
        return batch | self._teach(arrays["teacher"], batch["x"])

    def cursor(self, first_step: int, batch_shape: tuple[int, ...]) -> Any:
        """See `Source`."""
        return self._source.cursor(first_step, batch_shape)

    def plan(self, key: Any, cursor: Any, num_steps: int, batch_shape: tuple[int, ...]) -> Any:
        """See `Source`."""
        return self._source.plan(key, cursor, num_steps, batch_shape)

    def stream(self, *args: Any, **options: Any) -> Iterator[Any]:
        """See `Source`."""
        return self._source.stream(*args, **options)

    def evaluation(self, batch_size: int) -> Any:
        """See `Source`."""
        return self._source.evaluation(batch_size)


def answers(source: Resident, teach: Teach, params: Any) -> dict[str, np.ndarray]:
    """Asks the teacher about every example of a split, once, in order."""
    ask = jax.jit(teach)
    parts = [jax.device_get(ask(params, batch["x"])) for batch in rows(source, _AT_ONCE)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def joined(source: Resident, outputs: dict[str, np.ndarray]) -> Resident:
    """Returns the split with the teacher's outputs as further arrays."""
    return Resident({**source.arrays, **outputs}, source.levels, source.order)
