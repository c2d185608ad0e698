"""What the engine asks of a split of data."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from genjax.core.family import Batch, DataSpec


class Source:
    """One split. Training batch i is a pure function of (key, i), so nothing is saved to resume.

    The engine runs `plan` for a chunk of steps, then scans over what it returns with `fetch`:

        xs = source.plan(data_key(state.key), cursor, num_steps, batch_shape)
        state, metrics = lax.scan(lambda s, x: step(s, source.fetch(arrays, x)), state, xs)

    Both are traced inside the chunk's jit (and under vmap over the keys of a population).

    Attributes:
      num_examples: size of the split; 0 where examples are drawn without end.
      arrays: pytree that lives on the device and reaches `fetch` as a jit argument; empty where
        data is drawn or streamed.
      streamed: whether batches come from `stream` instead of `plan`.
      levels: what uint8 values of x are divided by, 0 for tokens; what wraps a split has those of
        the split.
    """

    num_examples: int = 0
    arrays: Any
    streamed: bool = False
    levels: int

    def cursor(self, first_step: int, batch_shape: tuple[int, ...]) -> Any:
        """Says where a step starts: a pytree of uint32 NumPy scalars, exact for any step."""
        raise NotImplementedError

    def plan(self, key: Any, cursor: Any, num_steps: int, batch_shape: tuple[int, ...]) -> Any:
        """Plans what to fetch: a pytree with leading axes (num_steps, *batch_shape)."""
        raise NotImplementedError("streamed data comes from stream()")

    def settle(self, folder: Path, stopped: Callable[[], bool]) -> None:
        """Makes what of the split takes long, and keeps it in the run's folder.

        The loop calls it once all is checked and before the first batch. Where `stopped` says so it
        returns before its end: no batch is asked for then, and the next call goes on from there.
        """

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """Makes the batch of one element of `plan` (or of `stream`, or of `evaluation`).

        float32 for images and points, int32 for tokens; see `genjax.core.family.DataSpec`.
        """
        raise NotImplementedError

    def stream(
        self,
        key_data: np.ndarray,
        first_step: int,
        last_step: int,
        batch_shape: tuple[int, ...],
        rows: slice = slice(None),
    ) -> Iterator[Any]:
        """Yields host elements x of steps first_step … last_step-1, read ahead.

        `rows` selects this process's part of the last axis of `batch_shape`.
        """
        raise NotImplementedError("this data is planned, not streamed")

    def evaluation(self, batch_size: int) -> Any:
        """Returns the whole split once, in order.

        Not streamed: a pytree of NumPy arrays with leading axes (num_batches, batch_size).
        Streamed: an iterator of such elements without the first axis. The last batch is padded;
        `fetch` of an element gives `batch["mask"]`, 1.0 for real rows and 0.0 for padding.
        """
        raise NotImplementedError


class Codec(Protocol):
    """Turns texts into tokens and back.

    Attributes:
      vocab_size: number of tokens, the special ones included.
      tokens: names of the tokens without the special ones: id `NUM_SPECIALS + i` is `tokens[i]`.
      rules: the number of those for words, case and line ends, see `genjax.data.text.words`.
    """

    vocab_size: int
    tokens: list[str]
    rules: int

    def encode(self, text: str) -> list[int]:
        """Encodes a text, without BOS or EOS."""

    def encode_all(self, texts: Iterable[str]) -> Iterator[np.ndarray]:
        """Encodes many texts fast: int32 tokens of each."""

    def decode(self, ids: Any) -> str:
        """Decodes one row of tokens, up to its first EOS; leaves out padding and BOS."""

    def to_json(self) -> dict[str, Any]:
        """Returns all that it takes to have the same tokens again."""


class Dataset(NamedTuple):
    """A data set: what families must know of it, and its two splits.

    Attributes:
      spec: of the examples.
      train, test: the splits.
      validation: what is held out of the training split to choose by (`data.validation_fraction`);
        None where nothing is.
      attributes: names of the columns of `batch["attributes"]`, uint8 (…, A), 1 where an example
        has it; empty where examples have none.
      codec: of the texts x; None where examples are no texts.
      target_codec: of the texts y of pairs.
      char_codec: of the characters of tagged words.
      labels: names of the classes, where they have some.
      found: what reading the data found, as JSON, for the line that a run begins with and for its
        record; a key is there where it says something. `source`: where the splits come from.
        `checksum`: of the content. `left_alone`, `skipped`: `{"count": int, "first": [str, …]}` of
        files that are no data, and of data that were passed over with the reason of each. By split,
        `cut`: `{"count": int, "of": int, "what": "sentences", "entities": int}` of examples cut at
        `data.length` and entities that this costs; `unknown`: the share of tokens.
      warnings: what is probably a mistake in the data, a line each.
    """

    spec: DataSpec
    train: Source
    test: Source
    attributes: tuple[str, ...] = ()
    codec: Codec | None = None
    target_codec: Codec | None = None
    char_codec: Codec | None = None
    labels: tuple[str, ...] = ()
    found: Mapping[str, Any] = MappingProxyType({})
    warnings: tuple[str, ...] = ()
    validation: Source | None = None

    def in_training(self) -> "Dataset":
        """Returns the data as a run sees them while it trains: validated, where it can be."""
        return self if self.validation is None else self._replace(test=self.validation)


def rows(source: Source, batch_size: int) -> Iterator[dict[str, np.ndarray]]:
    """Yields the split once, in order, as host batches without padding; the last one is shorter."""
    found, fetch = source.evaluation(batch_size), jax.jit(source.fetch)
    elements = found
    if not source.streamed:
        elements = ({n: a[i] for n, a in found.items()} for i in range(len(found["mask"])))
    arrays = jax.device_put(source.arrays)  # once, not for each batch
    for element in elements:
        batch = {name: np.asarray(a) for name, a in fetch(arrays, element).items()}
        real = batch.pop("mask") > 0
        yield {name: a[real] for name, a in batch.items()}


def first_rows(source: Source, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first `most` examples: x (N, …) and label int32 (N, …), 0 where none are."""
    xs, labels, found = [], [], 0
    for batch in rows(source, 1000):
        xs.append(batch["x"])
        labels.append(batch.get("label", np.zeros(len(batch["x"]), np.int32)))
        found += len(batch["x"])
        if found >= most:
            break
    return np.concatenate(xs)[:most], np.concatenate(labels)[:most]


def spread_rows(
    source: Source, number: int, among: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns `number` examples spread evenly over a split that may be in the order of its classes.

    `among`: rows to choose from, in order; None: all. As `first_rows`, and all where there are no
    more.
    """
    there = np.arange(source.num_examples) if among is None else among
    if number >= len(there) and among is None:
        return first_rows(source, number)
    chosen = there[np.arange(number) * len(there) // number] if number < len(there) else there
    marked, seen, parts = np.isin(np.arange(source.num_examples), chosen), 0, []
    for batch in rows(source, 1000):
        kept = marked[seen : (seen := seen + len(batch["x"]))]
        label = batch.get("label", np.zeros(len(kept), np.int32))
        parts.append((batch["x"][kept], label[kept]))
    x, label = map(np.concatenate, zip(*parts, strict=True))
    return x, label


def labels(source: Source) -> np.ndarray:
    """Returns the label of each example of a split, int32 (N,)."""
    return np.concatenate([batch["label"] for batch in rows(source, 1000)])
