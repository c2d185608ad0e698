"""Which examples batch i holds: one rule for data on the device and data that is streamed."""

from types import ModuleType
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from genjax.data.shuffle import permuted


class Cursor(NamedTuple):
    """Where a step starts in the endless sequence of epochs: both uint32 scalars."""

    epoch: Any
    offset: Any  # in examples, below the size of the split


def size(batch_shape: tuple[int, ...]) -> int:
    """Returns the number of examples of a step."""
    return int(np.prod(batch_shape, dtype=np.int64))


class Shuffled:
    """Orders n examples, at most 2**31 - 1: each epoch is a permutation of its own of all.

    Steps read the concatenation of all epochs: a batch may straddle two, and nothing is dropped.
    """

    def __init__(self, n: int):
        self.n = n

    def part(self, rows: np.ndarray) -> "Shuffled":
        """Returns the order of some examples: `rows`, a mask or indices."""
        return Shuffled(len(np.arange(self.n)[rows]))

    def cursor(self, first_step: int, batch_shape: tuple[int, ...]) -> Any:
        """Says where a step starts, exactly; epochs are counted modulo 2**32."""
        epoch, offset = divmod(int(first_step) * size(batch_shape), self.n)
        return Cursor(np.uint32(epoch % 2**32), np.uint32(offset))

    def indices(
        self,
        key_data: Any,
        at: Any,
        num_steps: int,
        batch_shape: tuple[int, ...],
        xp: ModuleType = jnp,
    ) -> Any:
        """Returns the examples of some steps, int32 (num_steps, *batch_shape).

        Args:
          key_data: uint32 words of the data key.
          at: cursor of the first step.
          num_steps: number of steps; `num_steps * size(batch_shape)` must be below 2**31.
          batch_shape: leading axes of a step's batch.
          xp: `numpy` or `jax.numpy`; both give the same numbers.
        """
        count = num_steps * size(batch_shape)
        if count >= 2**31:
            message = f"{count} examples are too many at once"
            raise ValueError(f"{num_steps} steps of {batch_shape}: {message}")
        positions = xp.asarray(at.offset, xp.uint32) + xp.arange(count, dtype=xp.uint32)
        epoch = xp.asarray(at.epoch, xp.uint32) + positions // np.uint32(self.n)
        index = permuted(positions % np.uint32(self.n), epoch, key_data, self.n, xp)
        return index.reshape(num_steps, *batch_shape)


class Bucketed(Shuffled):
    """Orders examples as `Shuffled`, but batches hold those of similar length.

    Runs of `window` batches are sorted by length, cut into batches again, and these shuffled. Whole
    runs hold the examples that as many steps of `Shuffled` hold; an epoch that ends within a run
    shares some of its batches with the next one.

    Args:
      lengths: (n,) of the examples.
      window: batches that are sorted together: more make lengths more alike, and batches less
        random. Fewer are where an epoch has fewer: of several epochs, equal examples would meet.
    """

    def __init__(self, lengths: np.ndarray, window: int = 64):
        super().__init__(len(lengths))
        self.lengths, self.window = lengths.astype(np.int32), window

    def part(self, rows: np.ndarray) -> "Bucketed":
        """See `Shuffled`."""
        return Bucketed(self.lengths[rows], self.window)

    def cursor(self, first_step: int, batch_shape: tuple[int, ...]) -> Any:
        """Says where a step starts: its run of batches, and its place in it."""
        window = self._window(batch_shape)
        run, place = divmod(int(first_step), window)
        start = super().cursor(run * window, batch_shape)
        return start, np.uint32(run % 2**32), np.uint32(place)

    def indices(
        self,
        key_data: Any,
        at: Any,
        num_steps: int,
        batch_shape: tuple[int, ...],
        xp: ModuleType = jnp,
    ) -> Any:
        """Returns the examples of some steps; see `Shuffled`."""
        start, run, place = at
        window = self._window(batch_shape)
        runs = 1 + (num_steps + window - 2) // window
        found = super().indices(key_data, start, runs * window, batch_shape, xp).reshape(runs, -1)
        by_length = xp.argsort(xp.asarray(self.lengths)[found], axis=1, stable=True)
        batches = xp.take_along_axis(found, by_length, 1).reshape(runs, window, *batch_shape)
        numbers = xp.asarray(run, xp.uint32) + xp.arange(runs, dtype=xp.uint32)
        other_key = xp.asarray(key_data, xp.uint32) ^ np.uint32(0x85EBCA6B)
        places = xp.arange(window, dtype=xp.uint32)[None]
        shuffled = permuted(places, numbers[:, None], other_key, window, xp)
        steps = batches[xp.arange(runs)[:, None], shuffled].reshape(runs * window, *batch_shape)
        chosen = xp.asarray(place, xp.int32) + xp.arange(num_steps, dtype=xp.int32)
        return steps[chosen]

    def _window(self, batch_shape: tuple[int, ...]) -> int:
        return max(1, min(self.window, self.n // size(batch_shape)))
