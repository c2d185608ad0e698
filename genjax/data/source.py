"""What the engine asks of a split of data."""

from typing import Any, NamedTuple, Protocol

import numpy as np

from genjax.core.family import Batch, DataSpec


class Source(Protocol):
    """One split. Training batch i is a pure function of (key, i), so nothing is saved to resume.

    The engine runs `plan` for a chunk of steps, then scans over what it returns with `fetch`:

        xs = source.plan(data_key(state.key), cursor, num_steps, batch_shape)
        state, metrics = lax.scan(lambda s, x: step(s, source.fetch(arrays, x)), state, xs)

    Both are traced inside the chunk's jit (and under vmap over the keys of a population).

    Attributes:
      num_examples: size of the split; 0 where examples are drawn without end.
      arrays: pytree of arrays that live on the device and reach `fetch` as a jit argument;
        empty where data is drawn or streamed.
      streamed: True where batches come from `stream` instead of `plan`.
    """

    num_examples: int
    arrays: Any
    streamed: bool

    def cursor(self, first_step: int, batch_shape: tuple[int, ...]) -> Any:
        """Where step `first_step` starts: a pytree of uint32 NumPy scalars, exact for any step."""

    def plan(self, key: Any, cursor: Any, num_steps: int, batch_shape: tuple[int, ...]) -> Any:
        """What to fetch for each step: a pytree with leading axes (num_steps, *batch_shape)."""

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """The float32 batch for one element of `plan` (or of `stream`, or of `evaluation`)."""

    def stream(
        self, key_data: np.ndarray, first_step: int, last_step: int,
        batch_shape: tuple[int, ...], rows: slice,
    ) -> Any:  # fmt: skip
        """Iterator over host elements x for steps first_step … last_step-1, prefetched.

        `rows` selects this process's part of the last axis of `batch_shape`.
        """

    def evaluation(self, batch_size: int) -> Any:
        """The whole split once, in order, for evaluation.

        Not streamed: a pytree of NumPy arrays with leading axes (num_batches, batch_size).
        Streamed: an iterator of such elements without the first axis. The last batch is padded;
        `fetch` of an element gives `batch["mask"]`, 1.0 for real rows and 0.0 for padding.
        """


class Dataset(NamedTuple):
    """A data set: what families must know of it, and its two splits."""

    spec: DataSpec
    train: Source
    test: Source
