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
