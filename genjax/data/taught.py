"""A training split whose batches carry what a teacher says of their examples."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core.family import Batch
from genjax.core.random import data_key
from genjax.core.teaching import LOGITS
from genjax.data.in_memory import Resident
from genjax.data.order import Bucketed
from genjax.data.source import Source, rows

Teach = Callable[[Any, Batch], dict[str, jax.Array]]
Write = Callable[[np.ndarray, Path, Callable[[], bool]], np.ndarray | None]
_AT_ONCE = 500  # rows that the teacher sees, where its outputs are kept
_WRITTEN = "written"  # targets of a teacher, among the arrays of a split


class Taught(Source):
    """Asks the teacher about each batch, in the program that fetches it.

    The teacher's parameters are arrays of the split: they reach the program as those of the
    examples do, once for all members of a population, and are in no state and no checkpoint.

    Args:
      source: the split.
      teach: `teach(params, batch) -> outputs by name`, with the examples as their first axis.
      params: of the teacher, a pytree of host arrays.

    Training batches have the outputs beside the examples; those of evaluation are of `source`.
    """

    def __init__(self, source: Source, teach: Teach, params: Any):
        self._source, self._teach = source, teach
        self.num_examples, self.streamed = source.num_examples, source.streamed
        self.levels = source.levels
        self.arrays: Any = {"examples": source.arrays, "teacher": params}
        self.rows = getattr(source, "rows", source.arrays)

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """See `Source`."""
        batch = self._source.fetch(arrays["examples"], x)
        if "mask" in batch:
            return batch
        return batch | self._teach(arrays["teacher"], batch)

    def settle(self, folder: Path, stopped: Callable[[], bool]) -> None:
        """See `Source`."""
        self._source.settle(folder, stopped)
        self.arrays["examples"] = self._source.arrays

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


def answers(source: Resident, teach: Teach, params: Any, members: bool = False) -> np.ndarray:
    """Asks the teacher about every example of a split, once, in order: its logits (N, C).

    With `members`, `params` are those of several teachers, and logits are (N, members, C).
    """
    teach = jax.vmap(teach, (0, None)) if members else teach
    ask = jax.jit(lambda params, batch: teach(params, batch)[LOGITS])
    parts = [np.asarray(ask(params, batch)) for batch in rows(source, _AT_ONCE)]
    return np.concatenate([np.moveaxis(p, 0, 1) for p in parts] if members else parts)


def joined(source: Resident, logits: np.ndarray, seeds: Sequence[int] = ()) -> Resident:
    """Returns the split with the teacher's logits (N, C) as a further array.

    With `seeds`, (N, M, C) are those of M teachers, and a run has that of its own seed.
    """
    arrays = {**source.arrays, LOGITS: logits}
    if not seeds:
        return Resident(arrays, source.levels, source.order)
    return _Paired(arrays, source.levels, source.order, seeds)


class _Paired(Resident):
    """A split with the logits of several teachers, of which a run sees that of its own seed."""

    def __init__(self, arrays: Any, levels: int, order: Any, seeds: Sequence[int]):
        super().__init__(arrays, levels, order)
        keys = [jax.random.key_data(data_key(jax.random.key(seed))) for seed in seeds]
        self._keys_MxW = np.stack(jax.device_get(keys))

    def plan(
        self, key: jax.Array, cursor: Any, num_steps: int, batch_shape: tuple[int, ...]
    ) -> Any:
        """Plans the indices, and the teacher, int32 (num_steps,)."""
        own_M = (jax.random.key_data(key) == self._keys_MxW).all(-1)
        teacher = jnp.broadcast_to(own_M.argmax().astype(jnp.int32), (num_steps,))
        return {"rows": super().plan(key, cursor, num_steps, batch_shape), "teacher": teacher}

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """See `Resident`."""
        if "rows" not in x:
            return super().fetch(arrays, x)
        batch = super().fetch(arrays, x["rows"])
        of_all = jnp.moveaxis(batch[LOGITS], -2, 0)
        return batch | {LOGITS: jax.lax.dynamic_index_in_dim(of_all, x["teacher"], 0, False)}


class Translated(Resident):
    """Pairs of which a share has the targets that a teacher writes, once `settle` was called.

    Which ones is drawn for each batch, a function of the key and the step alone.

    Args:
      source: the pairs.
      write: `write(x, folder, stopped) -> targets` (N, U) of all sources; None if it was stopped.
      share: of examples whose target is the teacher's.
    """

    def __init__(self, source: Resident, write: Write, share: float):
        super().__init__(source.arrays, source.levels, source.order)
        self._write, self._share = write, share

    def settle(self, folder: Path, stopped: Callable[[], bool]) -> None:
        """See `Source`."""
        written = self._write(self.arrays["x"], folder, stopped)
        if written is None:
            return
        self.arrays[_WRITTEN] = written
        if isinstance(self.order, Bucketed):
            sides = ("x", _WRITTEN) if self._share == 1 else ("x", "y", _WRITTEN)
            counts = [np.count_nonzero(self.arrays[name], axis=1) for name in sides]
            longest = np.max(counts, axis=0)
            self.order = Bucketed(longest, self.order.window)

    def cursor(self, first_step: int, batch_shape: tuple[int, ...]) -> Any:
        """Says where a step starts, and its number, from which its targets are drawn."""
        return {"rows": super().cursor(first_step, batch_shape), "step": np.uint32(first_step)}

    def plan(
        self, key: jax.Array, cursor: Any, num_steps: int, batch_shape: tuple[int, ...]
    ) -> Any:
        """Plans the indices, and whose target is the teacher's, both (num_steps, *batch_shape)."""
        steps = cursor["step"] + jnp.arange(num_steps, dtype=jnp.uint32)
        uniform = jax.vmap(lambda i: jax.random.uniform(jax.random.fold_in(key, i), batch_shape))
        rows = super().plan(key, cursor["rows"], num_steps, batch_shape)
        return {"rows": rows, "theirs": uniform(steps) < self._share}

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """See `Resident`; in evaluation all targets are those of the data."""
        batch = super().fetch(arrays, x.get("rows", x))
        if "theirs" in x:
            batch["y"] = jnp.where(x["theirs"][..., None], batch[_WRITTEN], batch["y"])
        return {name: rows for name, rows in batch.items() if name != _WRITTEN}
