"""Pairs: a sentence, and the sentence that it is to become."""

import itertools
from collections.abc import Iterator
from pathlib import Path

from ml_collections import ConfigDict

from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.data.cache import Entry, Rows
from genjax.data.source import Codec, Dataset
from genjax.data.text import files as text_files
from genjax.data.text import tokenizers
from genjax.data.text.sentences import padded, source
from genjax.data.text.source import Texts
from genjax.data.text.tally import Tally
from genjax.data.text.vocabulary import Vocabulary

_BLOCK = 4096  # pairs that are written at once


def texts(data: ConfigDict) -> Texts:
    """Reads `pairs:SRC,TGT`: line n of both; leaves out pairs of which one side is empty."""
    train, test = text_files.files(data, "pairs:SRC,TGT")
    read = text_files.splits(data, _read, train, test)
    where = text_files.origin(data, test)
    return Texts("pair", text_files.stamps(train, test), read, source=where)


def _read(source: Path, target: Path) -> Iterator[tuple[str, str]]:
    both = itertools.zip_longest(text_files.lines(source), text_files.lines(target))
    for number, (x, y) in enumerate(both, 1):
        if x is None or y is None:
            more = 1 + sum(1 for _ in both)
            shorter, longer = (source, target) if x is None else (target, source)
            raise ConfigError(
                f"{shorter}: ends after line {number - 1}, {longer} has {number - 1 + more} lines; "
                "must be as many"
            )
        if not x.isspace() and not y.isspace():
            yield x.strip(), y.strip()


def learn(data: ConfigDict, texts: Texts, given: Vocabulary | None = None) -> Vocabulary:
    """Learns a vocabulary of the sources and one of the targets of the training split.

    Those that are `given` already stay as they are.
    """

    def train(side: int) -> Codec:
        return tokenizers.train(data, (pair[side] for pair in texts.read("train")))

    x, y = (given.x, given.y) if given else (None, None)
    return Vocabulary(x or train(0), y or train(1))


def encode(
    data: ConfigDict, texts: Texts, split: str, words: Vocabulary, tally: Tally
) -> Iterator[Rows]:
    """Yields a split in blocks: `x` (N, T) and `y` (N, T)."""
    assert words.y is not None
    found = texts.read(split)
    while block := list(itertools.islice(found, _BLOCK)):
        xs, ys = zip(*block)
        x_ids = list(tally.tokens(words.x.encode_all(xs)))
        y_ids = list(tally.tokens(words.y.encode_all(ys)))
        tally.examples += len(block)
        tally.cut += sum(max(len(x), len(y)) >= data.length for x, y in zip(x_ids, y_ids))
        yield {
            "x": padded(x_ids, data.length, words.x),
            "y": padded(y_ids, data.length, words.y),
        }


def dataset(data: ConfigDict, words: Vocabulary, train: Entry, test: Entry) -> Dataset:
    """Makes pairs of sentences as rows of `data.length` tokens; see `sentences.ended`."""
    assert words.y is not None
    spec = DataSpec(
        "pair",
        (data.length,),
        vocab_size=words.x.vocab_size,
        target_shape=(data.length,),
        target_vocab_size=words.y.vocab_size,
    )
    splits = source(data, "training", train), source(data, "test", test)
    return Dataset(spec, *splits, codec=words.x, target_codec=words.y)
