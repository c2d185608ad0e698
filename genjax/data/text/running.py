"""Running text: all texts of a split one after the other, cut into windows."""

from collections.abc import Iterable, Iterator

import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import ConfigError, fail
from genjax.core.family import DataSpec
from genjax.core.tokens import EOS
from genjax.data.cache import Entry, Rows
from genjax.data.source import Dataset, Source
from genjax.data.text import joined, tokenizers
from genjax.data.text.source import Texts
from genjax.data.text.tally import Tally
from genjax.data.text.vocabulary import Vocabulary
from genjax.data.text.windows import StreamedWindows, Windows

_BLOCK = 2**20  # tokens that are written at once


def learn(data: ConfigDict, texts: Texts, given: Vocabulary | None = None) -> Vocabulary:
    """Learns the vocabulary of the training split, unless its tokenizer is `given` already."""
    found = texts.read("train")
    if data.tokenizer in ("bpe", "unigram") and not texts.ends:
        found = joined.parts(found)
    return Vocabulary(given.x if given else tokenizers.train(data, found))


def encode(
    data: ConfigDict, texts: Texts, split: str, words: Vocabulary, tally: Tally
) -> Iterator[Rows]:
    """Yields the tokens of a split in blocks: `x` (N,) of the smallest type."""
    kind = tokenizers.smallest_type(words.x.vocab_size)
    end = np.full(1 if texts.ends else 0, EOS, kind)
    found = texts.read(split)
    if not texts.ends and tokenizers.sees_lines(words.x):
        found = joined.parts(found, words.x)
    for block in _blocks(tally.tokens(words.x.encode_all(found))):
        yield {"x": np.concatenate([a for ids in block for a in (ids.astype(kind), end)])}


def _blocks(rows: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Yields lists of rows of about `_BLOCK` tokens."""
    block, size = [], 0
    for row in rows:
        block.append(row)
        size += len(row)
        if size >= _BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def dataset(data: ConfigDict, words: Vocabulary, train: Entry, test: Entry) -> Dataset:
    """Makes windows of `data.length + 1` tokens; `ConfigError` if a split is too short for them."""
    splits: dict[str, Source] = {}
    for name, entry in (("train", train), ("test", test)):
        tokens = entry.load(mmap=True).get("x", np.zeros(0, np.uint8))
        if name == "train" and len(tokens) <= data.length:
            raise fail(
                "data.length",
                data.length,
                f"must be below the number of tokens of the training split, {len(tokens)}",
            )
        if len(tokens) < 2:
            raise ConfigError(f"config.data.name={data.name!r}: its test split holds no text")
        large = entry.nbytes() > data.device_limit_mb * 2**20 or len(tokens) >= 2**31
        splits[name] = (
            StreamedWindows(tokens, data.length)
            if large
            else Windows(np.asarray(tokens), data.length)
        )
    spec = DataSpec(
        "text",
        (data.length + 1,),
        vocab_size=words.x.vocab_size,
        word_parts=tokenizers.word_parts(words.x),
        spellings=tokenizers.spellings(words.x),
    )
    return Dataset(spec, splits["train"], splits["test"], codec=words.x)
