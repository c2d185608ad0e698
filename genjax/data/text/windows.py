"""Windows of a running text: at random offsets to train on, side by side to evaluate on."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core.family import Batch
from genjax.core.tokens import PAD
from genjax.data.in_memory import Resident, evaluation_index
from genjax.data.order import Shuffled
from genjax.data.streaming import Streamed


class Windows(Resident):
    """Holds a text on the device, and draws windows of it.

    Every offset is drawn once before any is drawn again. An epoch is as many windows as it takes to
    predict as many tokens as the text has, whichever they are. Batches have `"x"` int32 (*batch, T
    + 1): x[:-1] is read, x[1:] is predicted. In evaluation windows share one token with the next,
    so that each token but the first is predicted once; the last window is padded.

    Args:
      tokens: (N,) of an unsigned type, N > length.
      length: T, tokens that a window predicts.
    """

    def __init__(self, tokens: np.ndarray, length: int):
        padded = np.concatenate([tokens, np.full(length, PAD, tokens.dtype)])
        super().__init__({"x": padded}, levels=0, order=Offsets(len(tokens), length))
        self.num_examples, self.length = num_windows(len(tokens), length), length

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """Makes the windows at offsets `x`, or at those of an element of `evaluation`."""
        start, rest = (x["index"], {"mask": x["mask"]}) if isinstance(x, dict) else (x, {})
        tokens = jnp.asarray(arrays["x"])

        def window(i: jax.Array) -> jax.Array:
            return jax.lax.dynamic_slice(tokens, (i,), (self.length + 1,))

        windows = jax.vmap(window)(start.reshape(-1)).astype(jnp.int32)
        return {"x": windows.reshape(*start.shape, -1)} | rest

    def evaluation(self, batch_size: int) -> dict[str, np.ndarray]:
        """Returns offsets `index` int32 and `mask` float32, both (num_batches, batch_size)."""
        return _evaluation_offsets(self.num_examples, self.length, batch_size)


class StreamedWindows(Streamed):
    """Reads the same windows of a text on disk."""

    def __init__(self, tokens: np.ndarray, length: int):
        order = Offsets(len(tokens), length)
        super().__init__({"x": Rows(tokens, length + 1, 1)}, levels=0, order=order)
        self.num_examples, self.length = num_windows(len(tokens), length), length

    def _evaluation_index(self, batch_size: int) -> dict[str, np.ndarray]:
        return _evaluation_offsets(self.num_examples, self.length, batch_size)


def num_windows(num_tokens: int, length: int) -> int:
    """Counts the windows of `length + 1` tokens, with one in common, that hold a text."""
    return -(-max(num_tokens - 1, 1) // length)


class Offsets(Shuffled):
    """Orders all offsets or, in a text beyond int32, every second, third, …"""

    def __init__(self, num_tokens: int, length: int):
        offsets = max(num_tokens - length, 1)
        self.stride = -(-offsets // (2**31 - 1))
        super().__init__(-(-offsets // self.stride))

    def indices(self, *args: Any, **kwargs: Any) -> Any:
        """See `Shuffled`; int64 where offsets need it (only NumPy gets that far)."""
        index = super().indices(*args, **kwargs)
        return index if self.stride == 1 else index.astype(np.int64) * self.stride


class Rows:
    """Parts of a text as the rows of an array, made when they are asked for; padded beyond its end.

    Args:
      tokens: (N,).
      width: tokens of a row.
      stride: from the first token of a row to that of the next.
    """

    def __init__(self, tokens: np.ndarray, width: int, stride: int):
        self.tokens, self.width, self.stride = tokens, width, stride

    def __len__(self) -> int:
        return -(-len(self.tokens) // self.stride)

    def __getitem__(self, row: np.ndarray) -> np.ndarray:
        start = np.asarray(row, np.int64)[..., None] * self.stride
        at = start + np.arange(self.width)
        inside = at < len(self.tokens)
        rows = self.tokens[np.where(inside, at, 0)]
        return np.where(inside, rows, np.asarray(PAD, rows.dtype))


def _evaluation_offsets(count: int, length: int, batch_size: int) -> dict[str, np.ndarray]:
    plan = evaluation_index(count, batch_size)
    last = (count - 1) * length
    kind = np.int32 if last < 2**31 else np.int64
    return plan | {"index": plan["index"].astype(kind) * length}
