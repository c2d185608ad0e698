"""Tagged words: a sentence as words, each with its characters and a tag.

`conll:FILE`: columns that tabs or spaces separate, the first is the word and the last its tag; an
empty line ends a sentence. Lines that start with `-DOCSTART-` are left out (CoNLL-2003).
"""

import collections
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import ConfigError, fail
from genjax.core.family import DataSpec
from genjax.core.tokens import PAD
from genjax.data import text_files, tokenizers
from genjax.data.cache import Entry, Rows
from genjax.data.sentences import source
from genjax.data.source import Codec, Dataset
from genjax.data.texts import Texts
from genjax.data.vocabulary import Vocabulary

_OUTSIDE = "O"  # the tag of words that are part of nothing; the first of all tags, if it is one
_BLOCK = 1024  # sentences that are written at once
Tagged = tuple[list[str], list[str], str]


def texts(data: ConfigDict) -> Texts:
    """Sentences of words and their tags.

    Raises:
      ConfigError: at reading, a line that has not as many columns as the first one.
    """
    train, test = text_files.files(data, "conll:FILE")
    read = text_files.splits(data, _read, train, test)
    return Texts("tagged", text_files.stamps(train, test), read)


def _read(path: Path) -> Iterator[Tagged]:
    columns, where = 0, ""
    words: list[str] = []
    tags: list[str] = []
    for number, line in enumerate(text_files.lines(path), 1):
        if line.isspace() or line.startswith("-DOCSTART-"):
            if words:
                yield words, tags, where
            words, tags = [], []
            continue
        line = line.rstrip("\n")
        found = line.split("\t") if "\t" in line else [c for c in line.split(" ") if c]
        columns = columns or len(found)
        if len(found) != columns or columns < 2 or not found[0].strip() or not found[-1].strip():
            needed = f"{columns} columns as the lines before it" if columns > 1 else "a word, a tag"
            raise ConfigError(f"{path}: line {number}: must have {needed}, not {line.strip()!r}")
        where = where if words else f"{path}: line {number}"
        words.append("_".join(found[0].split()))  # a word is one word, whatever is in it
        tags.append(found[-1].strip())
    if words:
        yield words, tags, where


def learn(data: ConfigDict, texts: Texts, codec: Codec | None = None) -> Vocabulary:
    """The words, their characters and the tags of the training split.

    With a tokenizer `codec` that is there already, words keep its numbers; a word of the data that
    it would take apart is unknown.
    """
    if data.tokenizer != "word":
        raise fail("data.tokenizer", data.tokenizer, f"{data.name} is words; must be word")
    tags: set[str] = set()
    characters: set[str] = set()

    def read() -> Iterator[str]:
        for words, found, _ in texts.read("train"):
            tags.update(found)
            characters.update(*words)
            yield " ".join(words)

    if isinstance(codec, tokenizers.Words):
        collections.deque(read(), maxlen=0)  # for the tags and the characters
        codec = tokenizers.Words(
            codec.tokens, codec.lowercase, punctuation=False, rules=codec.rules
        )
    else:
        codec = tokenizers.train(data, read(), punctuation=False)
    names = sorted(tags, key=lambda tag: (tag != _OUTSIDE, tag))
    return Vocabulary(codec, chars=tokenizers.Chars(sorted(characters)), labels=tuple(names))


def encode(data: ConfigDict, texts: Texts, split: str, words: Vocabulary) -> Iterator[Rows]:
    """A split in blocks: `x` (N, T), `chars` (N, T, C), `label` int32 (N, T)."""
    found = texts.read(split)
    while block := list(itertools.islice(found, _BLOCK)):
        yield _rows(data, block, words)


def _rows(data: ConfigDict, block: list[Tagged], known: Vocabulary) -> Rows:
    assert known.chars is not None
    shape = (len(block), data.length)
    kinds = [tokenizers.smallest_type(codec.vocab_size) for codec in (known.x, known.chars)]
    rows = {
        "x": np.full(shape, PAD, kinds[0]),
        "chars": np.full((*shape, data.word_length), PAD, kinds[1]),
        "label": np.zeros(shape, np.int32),
    }
    numbers = {tag: i for i, tag in enumerate(known.labels)}
    for i, (words, tags, where) in enumerate(block):
        n = min(len(words), data.length)
        if unknown := next((tag for tag in tags if tag not in numbers), ""):
            told = f"tag {unknown!r} of this sentence is none of the training split's"
            raise ConfigError(f"{where}: {told}: {', '.join(known.labels)}")
        rows["x"][i, :n] = known.x.encode(" ".join(words[:n]))
        rows["label"][i, :n] = [numbers[tag] for tag in tags[:n]]
        for j, word in enumerate(words[:n]):
            ids = known.chars.encode(word[: data.word_length])
            rows["chars"][i, j, : len(ids)] = ids
    return rows


def dataset(data: ConfigDict, words: Vocabulary, train: Entry, test: Entry) -> Dataset:
    """Sentences of at most `data.length` words of at most `data.word_length` characters."""
    assert words.chars is not None
    spec = DataSpec(
        "tagged", (data.length,), num_classes=len(words.labels), vocab_size=words.x.vocab_size,
        char_shape=(data.length, data.word_length), char_vocab_size=words.chars.vocab_size,
    )  # fmt: skip
    splits = source(data, "training", train), source(data, "test", test)
    return Dataset(spec, *splits, codec=words.x, char_codec=words.chars, labels=words.labels)
