"""Sentences, with a class each or without, as rows of one length."""

import collections
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import ConfigError, fail
from genjax.core.family import DataSpec
from genjax.core.tokens import EOS, PAD
from genjax.data import stored
from genjax.data.cache import Entry, Rows
from genjax.data.found import shorten
from genjax.data.order import Bucketed
from genjax.data.source import Dataset, Source
from genjax.data.text import tokenizers
from genjax.data.text.packing import pack
from genjax.data.text.source import Texts
from genjax.data.text.tally import Tally
from genjax.data.text.vocabulary import Vocabulary

_BLOCK = 4096  # sentences that are written at once
_FEW = 100  # different sentences: too few for ten times as many classes


def learn(data: ConfigDict, texts: Texts, given: Vocabulary | None = None) -> Vocabulary:
    """Learns the vocabulary and the classes of the training split, classes in alphabetical order.

    With a tokenizer that is `given` already, classes alone are learned.

    Raises:
      ConfigError: what should be classes are texts, and the other way round.
    """
    classes: set[str] = set()
    different: set[str] = set()  # sentences, of the first ones

    def read() -> Iterator[str]:
        for sentence, label, _ in texts.read("train"):
            classes.add(label)
            if len(different) < _FEW:
                different.add(sentence)
            yield sentence

    if given:
        collections.deque(read(), maxlen=0)  # for the classes
    codec = given.x if given else tokenizers.train(data, read())
    if len(different) < _FEW and len(classes) >= 10 * len(different):
        message = f"{len(classes):,} classes ({shorten(sorted(classes), 3)}) of {len(different):,} "
        message += (
            f"different sentences ({shorten(sorted(different), 3)}): are the columns swapped?"
        )
        raise fail("data.name", data.name, f"{message} A line must be sentence<TAB>label")
    return Vocabulary(codec, labels=tuple(sorted(classes - {""})))


def encode(
    data: ConfigDict, texts: Texts, split: str, words: Vocabulary, tally: Tally
) -> Iterator[Rows]:
    """Yields a split in blocks: `x` (N, T), and `label` int32 (N,) where there are classes.

    With `data.packed` several sentences share a row, and classes are left out.
    """
    numbers = {name: i for i, name in enumerate(words.labels)}
    found = texts.read(split)
    while block := list(itertools.islice(found, _BLOCK)):
        found_ids = list(tally.tokens(words.x.encode_all(s for s, *_ in block)))
        tally.examples += len(block)
        tally.cut += sum(len(ids) >= data.length for ids in found_ids)
        if data.packed:
            kind = tokenizers.smallest_type(words.x.vocab_size)
            rows_of = [ended(ids, data.length).astype(kind) for ids in found_ids]
            yield {"x": pack(rows_of, data.length)}
            continue
        rows = {"x": padded(found_ids, data.length, words.x)}
        if numbers:
            for _, label, where in block:
                tally.label(label, where)
            labels = [_number(numbers, label, where) for _, label, where in block]
            rows["label"] = np.array(labels, np.int32)
        yield rows


def _number(numbers: Mapping[str, int], label: str, where: str) -> int:
    if label not in numbers:
        known = shorten(list(numbers), 4)
        message = f"class {shorten([label])!r} is none of the training split's: {known}"
        hint = "; is it a header line?" if where.endswith(": line 1") else ""
        raise ConfigError(f"{where}: {message}{hint}")
    return numbers[label]


def padded(sentences: Iterable[np.ndarray], length: int, codec: tokenizers.Codec) -> np.ndarray:
    """Makes sentences rows (N, length) of the smallest type, each as `ended`, then padding."""
    rows = [ended(ids, length) for ids in sentences]
    x = np.full((len(rows), length), PAD, tokenizers.smallest_type(codec.vocab_size))
    for row, ids in zip(x, rows):
        row[: len(ids)] = ids
    return x


def ended(ids: Sequence[int] | np.ndarray, length: int) -> np.ndarray:
    """Adds the EOS that ends a sentence; of longer ones keeps the first `length` tokens.

    EOS says that a text ends, so there is none behind a cut.
    """
    return np.append(ids, EOS)[:length].astype(np.int32)


def dataset(data: ConfigDict, words: Vocabulary, train: Entry, test: Entry) -> Dataset:
    """Makes sentences rows of `data.length` tokens, see `ended`."""
    labels = () if data.packed else words.labels
    spec = DataSpec(
        "sentence",
        (data.length,),
        num_classes=len(labels),
        vocab_size=words.x.vocab_size,
        word_parts=tokenizers.word_parts(words.x),
        spellings=tokenizers.spellings(words.x),
    )
    splits = source(data, "training", train), source(data, "test", test)
    return Dataset(spec, *splits, codec=words.x, labels=labels)


def source(data: ConfigDict, split: str, entry: Entry) -> Source:
    """Puts a split on the device or streams it, see `genjax.data.stored.split`."""
    if "x" not in entry.load(mmap=True):
        raise ConfigError(f"config.data.name={data.name!r}: its {split} split holds no text")
    order = Bucketed(_lengths(entry.load(mmap=True))) if data.bucketed else None
    return stored.split(data, entry, levels=0, order=order)


def _lengths(rows: Rows) -> np.ndarray:
    """Counts the tokens of each example, of the longer side for pairs; int32 (N,)."""
    sides = [rows[name] for name in ("x", "y") if name in rows]
    n = len(sides[0])
    blocks = [
        np.max([np.count_nonzero(x[i : i + _BLOCK], axis=1) for x in sides], axis=0)
        for i in range(0, n, _BLOCK)
    ]
    return np.concatenate(blocks).astype(np.int32)
