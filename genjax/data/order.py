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


def cursor(first_step: int, batch_shape: tuple[int, ...], n: int) -> Cursor:
    """The cursor of step `first_step`, in Python integers: exact for any step.

    Epochs are counted modulo 2**32.
    """
    epoch, offset = divmod(int(first_step) * size(batch_shape), n)
    return Cursor(np.uint32(epoch % 2**32), np.uint32(offset))


class Shuffled:
    """Each epoch is a permutation of its own of all examples.

    Args:
      n: number of examples.
    """

    def __init__(self, n: int):
        self.n = n

    def cursor(self, first_step: int, batch_shape: tuple[int, ...]) -> Any:
        """Where step `first_step` starts: uint32 NumPy scalars, exact for any step."""
        return cursor(first_step, batch_shape, self.n)

    def indices(
        self, key_data: Any, at: Any, num_steps: int, batch_shape: tuple[int, ...],
        xp: ModuleType = jnp,
    ) -> Any:  # fmt: skip
        """The examples of `num_steps` steps from `at` on, int32 (num_steps, *batch_shape)."""
        return indices(key_data, at, num_steps, batch_shape, self.n, xp)


class Bucketed:
    """The order of `Shuffled`, but batches hold examples of similar length.

    Runs of `window` batches are sorted by length, cut into batches again, and these shuffled. An
    epoch still holds each example once.

    Args:
      lengths: (n,) of the examples.
      window: batches that are sorted together: more make lengths more alike, and batches less
        random.
    """

    def __init__(self, lengths: np.ndarray, window: int = 64):
        self.n, self.lengths, self.window = len(lengths), lengths.astype(np.int32), window

    def cursor(self, first_step: int, batch_shape: tuple[int, ...]) -> Any:
        """Where step `first_step` starts: its run of batches, and its place in it."""
        run, place = divmod(int(first_step), self.window)
        start = cursor(run * self.window, batch_shape, self.n)
        return start, np.uint32(run % 2**32), np.uint32(place)

    def indices(
        self, key_data: Any, at: Any, num_steps: int, batch_shape: tuple[int, ...],
        xp: ModuleType = jnp,
    ) -> Any:  # fmt: skip
        """The examples of `num_steps` steps from `at` on, int32 (num_steps, *batch_shape)."""
        start, run, place = at
        runs, window = 1 + (num_steps + self.window - 2) // self.window, self.window
        found = indices(key_data, start, runs * window, batch_shape, self.n, xp).reshape(runs, -1)
        by_length = xp.argsort(xp.asarray(self.lengths)[found], axis=1, stable=True)
        batches = xp.take_along_axis(found, by_length, 1).reshape(runs, window, *batch_shape)
        numbers = xp.asarray(run, xp.uint32) + xp.arange(runs, dtype=xp.uint32)
        shuffled = permuted(
            xp.arange(window, dtype=xp.uint32)[None], numbers[:, None], _other(key_data, xp),
            window, xp,
        )  # fmt: skip
        rows = xp.arange(runs)[:, None]
        steps = batches[rows, shuffled].reshape(runs * window, *batch_shape)
        chosen = xp.asarray(place, xp.int32) + xp.arange(num_steps, dtype=xp.int32)
        return steps[chosen]


def _other(key_data: Any, xp: ModuleType) -> Any:
    """Words of a key for another use than the order of examples."""
    return xp.asarray(key_data, xp.uint32) ^ np.uint32(0x85EBCA6B)


def size(batch_shape: tuple[int, ...]) -> int:
    """Number of examples of a step."""
    return int(np.prod(batch_shape, dtype=np.int64))


def indices(
    key_data: Any, at: Cursor, num_steps: int, batch_shape: tuple[int, ...], n: int,
    xp: ModuleType = jnp,
) -> Any:  # fmt: skip
    """The examples of `num_steps` steps from cursor `at` on, int32 (num_steps, *batch_shape).

    The steps read the concatenation of all epochs, each of them a permutation of the n examples of
    its own: a batch may straddle epochs, and nothing is dropped.

    Args:
      key_data: uint32 words of the data key.
      at: cursor of the first step.
      num_steps: number of steps; `num_steps * size(batch_shape)` must be below 2**31.
      batch_shape: leading axes of a step's batch.
      n: size of the split, at most 2**31 - 1.
      xp: `numpy` or `jax.numpy`; both give the same numbers.
    """
    count = num_steps * size(batch_shape)
    if count >= 2**31:
        raise ValueError(
            f"{num_steps} steps of {batch_shape}: {count} examples are too many at once"
        )
    positions = xp.asarray(at.offset, xp.uint32) + xp.arange(count, dtype=xp.uint32)
    epoch = xp.asarray(at.epoch, xp.uint32) + positions // np.uint32(n)
    index = permuted(positions % np.uint32(n), epoch, key_data, n, xp)
    return index.reshape(num_steps, *batch_shape)
