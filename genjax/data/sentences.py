"""Sentences, with a class each or without, as rows of one length."""

import collections
import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.core.tokens import EOS, PAD
from genjax.data import tokenizers
from genjax.data.cache import Entry, Rows
from genjax.data.order import Bucketed
from genjax.data.packing import pack
from genjax.data.resident import Resident
from genjax.data.source import Codec, Dataset, Source
from genjax.data.texts import Texts
from genjax.data.vocabulary import Vocabulary

_BLOCK = 4096  # sentences that are written at once


def learn(data: ConfigDict, texts: Texts, codec: Codec | None = None) -> Vocabulary:
    """The vocabulary and the classes of the training split, classes in alphabetical order.

    With a tokenizer `codec` that is there already, classes alone are learned.
    """
    classes: set[str] = set()

    def read() -> Iterator[str]:
        for sentence, label, _ in texts.read("train"):
            classes.add(label)
            yield sentence

    if codec:
        collections.deque(read(), maxlen=0)  # for the classes
    else:
        codec = tokenizers.train(data, read())
    return Vocabulary(codec, labels=tuple(sorted(classes - {""})))


def encode(data: ConfigDict, texts: Texts, split: str, words: Vocabulary) -> Iterator[Rows]:
    """A split in blocks: `x` (N, T), and `label` int32 (N,) where there are classes.

    With `data.packed` several sentences share a row, and classes are left out.
    """
    numbers = {name: i for i, name in enumerate(words.labels)}
    found = texts.read(split)
    while block := list(itertools.islice(found, _BLOCK)):
        found_ids = words.x.encode_all(s for s, *_ in block)
        if data.packed:
            kind = tokenizers.smallest_type(words.x.vocab_size)
            yield {"x": pack([_ended(ids, data.length, kind) for ids in found_ids], data.length)}
            continue
        rows = {"x": padded(found_ids, data.length, words.x)}
        if numbers:
            labels = [_number(numbers, label, where) for _, label, where in block]
            rows["label"] = np.array(labels, np.int32)
        yield rows


def _number(numbers: dict[str, int], label: str, where: str) -> int:
    if label not in numbers:
        raise ConfigError(
            f"{where}: class {label!r} is none of the training split's: {', '.join(numbers)}"
        )
    return numbers[label]


def padded(sentences: Iterable[np.ndarray], length: int, codec: tokenizers.Codec) -> np.ndarray:
    """Sentences as rows (N, length) of the smallest type: tokens, EOS, padding; cut if too long."""
    kind = tokenizers.smallest_type(codec.vocab_size)
    ended = [_ended(ids, length, kind) for ids in sentences]
    x = np.full((len(ended), length), PAD, kind)
    for row, ids in zip(x, ended):
        row[: len(ids)] = ids
    return x


def _ended(ids: np.ndarray, length: int, kind: np.dtype) -> np.ndarray:
    """A sentence with its EOS, cut to `length` tokens."""
    return np.append(ids[: length - 1], EOS).astype(kind)


def dataset(data: ConfigDict, words: Vocabulary, train: Entry, test: Entry) -> Dataset:
    """Sentences of at most `data.length` tokens, the EOS that ends each included."""
    labels = () if data.packed else words.labels
    spec = DataSpec(
        "sentence", (data.length,), num_classes=len(labels), vocab_size=words.x.vocab_size,
        word_parts=tokenizers.word_parts(words.x), spellings=tokenizers.spellings(words.x),
    )  # fmt: skip
    splits = source(data, "training", train), source(data, "test", test)
    return Dataset(spec, *splits, codec=words.x, labels=labels)


def source(data: ConfigDict, split: str, entry: Entry) -> Source:
    """A split on the device, or streamed if it is larger than `data.device_limit_mb` MiB."""
    if "x" not in entry.load(mmap=True):
        raise ConfigError(f"config.data.name={data.name!r}: its {split} split holds no text")
    large = entry.nbytes() > data.device_limit_mb * 2**20
    rows = entry.load(mmap=large)
    order = Bucketed(_lengths(rows)) if data.bucketed else None
    if not large:
        return Resident(rows, levels=0, order=order)
    from genjax.data.streaming import Streamed

    return Streamed(rows, levels=0, order=order)


def _lengths(rows: Rows) -> np.ndarray:
    """Tokens of each example, of the longer side for pairs; int32 (N,)."""
    sides = [rows[name] for name in ("x", "y") if name in rows]
    n = len(sides[0])
    blocks = [
        np.max([np.count_nonzero(x[i : i + _BLOCK], axis=1) for x in sides], axis=0)
        for i in range(0, n, _BLOCK)
    ]
    return np.concatenate(blocks).astype(np.int32)
