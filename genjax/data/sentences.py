"""Sentences, with a class each or without, as rows of one length."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.core.tokens import EOS, PAD
from genjax.data import tokenizers
from genjax.data.cache import Entry, Rows
from genjax.data.resident import Resident
from genjax.data.source import Dataset, Source
from genjax.data.texts import Texts
from genjax.data.vocabulary import Vocabulary

_BLOCK = 4096  # sentences that are written at once


def learn(data: ConfigDict, texts: Texts) -> Vocabulary:
    """The vocabulary and the classes of the training split, classes in alphabetical order."""
    classes: set[str] = set()

    def read() -> Iterator[str]:
        for sentence, label in texts.read("train"):
            classes.add(label)
            yield sentence

    codec = tokenizers.train(data, read())
    return Vocabulary(codec, labels=tuple(sorted(classes - {""})))


def encode(data: ConfigDict, texts: Texts, split: str, words: Vocabulary) -> Iterator[Rows]:
    """A split in blocks: `x` (N, T), and `label` int32 (N,) where there are classes."""
    numbers = {name: i for i, name in enumerate(words.labels)}
    found = texts.read(split)
    while block := list(itertools.islice(found, _BLOCK)):
        rows = {"x": padded(words.x.encode_all(s for s, _ in block), data.length, words.x)}
        if numbers:
            rows["label"] = np.array([numbers[label] for _, label in block], np.int32)
        yield rows


def padded(sentences: Iterable[np.ndarray], length: int, codec: tokenizers.Codec) -> np.ndarray:
    """Sentences as rows (N, length) of the smallest type: tokens, EOS, padding; cut if too long."""
    kept = [ids[: length - 1] for ids in sentences]
    x = np.full((len(kept), length), PAD, tokenizers.smallest_type(codec.vocab_size))
    for row, ids in zip(x, kept):
        row[: len(ids)] = ids
        row[len(ids)] = EOS
    return x


def dataset(data: ConfigDict, words: Vocabulary, train: Entry, test: Entry) -> Dataset:
    """Sentences of at most `data.length` tokens, the EOS that ends each included."""
    spec = DataSpec(
        "sentence", (data.length,), num_classes=len(words.labels), vocab_size=words.x.vocab_size
    )
    splits = [source(data, name, entry) for name, entry in (("training", train), ("test", test))]
    return Dataset(spec, *splits, codec=words.x, labels=words.labels)


def source(data: ConfigDict, split: str, entry: Entry) -> Source:
    """A split on the device, or streamed if it is larger than `data.device_limit_mb` MiB."""
    if "x" not in entry.load(mmap=True):
        raise ConfigError(f"config.data.name={data.name!r}: its {split} split holds no text")
    if entry.nbytes() <= data.device_limit_mb * 2**20:
        return Resident(entry.load(mmap=False), levels=0)
    from genjax.data.streaming import Streamed

    return Streamed(entry.load(mmap=True), levels=0)
