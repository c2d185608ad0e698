"""Tagged words: a sentence as words, each with its characters and a tag.

`conll:FILE`: columns that tabs or spaces separate, the first is the word and the last its tag; an
empty line ends a sentence. Left out are lines that start with `-DOCSTART-` (CoNLL-2003) and, in
front of a sentence, comments: lines that start with `# ` and are no row of the table. CoNLL-U,
whose first column numbers the words, is refused.
Tags of entities may follow any scheme that `genjax.data.text.tags` reads.
"""

import collections
import itertools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import ConfigError, fail
from genjax.core.family import DataSpec
from genjax.core.files import shown
from genjax.core.tokens import PAD, UNK
from genjax.data.cache import Entry, Rows
from genjax.data.found import shorten
from genjax.data.source import Codec, Dataset
from genjax.data.text import files as text_files
from genjax.data.text import tokenizers
from genjax.data.text.sentences import source
from genjax.data.text.source import Texts
from genjax.data.text.tags import entities, parts, scheme
from genjax.data.text.tally import Tally
from genjax.data.text.vocabulary import Vocabulary

_OUTSIDE = "O"  # the tag of words that are part of nothing; the first of all tags, if it is one
_BLOCK = 1024  # sentences that are written at once
_CONLL_U = 10  # columns
_SPAN = re.compile(r"\d+[-.]\d+")  # in CoNLL-U `1-2` stands before a word of two, `1.1` for none
_COMMENT = re.compile(r"# \s*[\w.:-]+ *=")  # `# text = …`
Tagged = tuple[list[str], list[str], str]


def texts(data: ConfigDict) -> Texts:
    """Reads sentences of words and their tags; all lines must have as many columns as the first."""
    train, test = text_files.files(data, "conll:FILE")
    read = text_files.splits(data, _read, train, test, lambda item: item[1])
    where = text_files.origin(data, test)
    identity = text_files.stamps(train, test, classes=True)
    return Texts("tagged", identity, read, source=where)


def _read(path: Path) -> Iterator[Tagged]:
    columns, tabs = _form(path)
    if tabs and columns == _CONLL_U:
        _refuse_conll_u(path)
    where = ""
    words: list[str] = []
    tags: list[str] = []
    for number, line in enumerate(text_files.lines(path), 1):
        if line.isspace() or line.startswith("-DOCSTART-"):
            if words:
                yield words, tags, where
            words, tags = [], []
            continue
        found = _columns(line)
        is_row = len(found) == columns and ("\t" in line) == tabs
        if not words and line.startswith("# ") and (not is_row or _COMMENT.match(line)):
            continue
        if len(found) != columns or columns < 2 or not found[0].strip() or not found[-1].strip():
            needed = f"{columns} columns as the lines before it" if columns > 1 else "a word, a tag"
            message = f"must have {needed}, not {_quoted(line)}"
            if line.endswith(("\t", "\t\n")):
                message = (
                    "ends in a tab, so its last column, which is the tag, is empty; must have one"
                )
            raise ConfigError(f"{path}: line {number}: {message}")
        where = where if words else f"{path}: line {number}"
        words.append("_".join(found[0].split()))  # a word is one word, whatever is in it
        tags.append(found[-1].strip())
    if words:
        yield words, tags, where


def _form(path: Path) -> tuple[int, bool]:
    """Tells how many columns the first row has, and whether tabs separate them."""
    for line in text_files.lines(path):
        if not line.isspace() and not line.startswith(("-DOCSTART-", "# ")):
            return len(_columns(line)), "\t" in line
    return 2, False


def _refuse_conll_u(path: Path) -> None:
    """Raises `ConfigError` where the words are 1, 2, … up to the end of a sentence of several.

    CoNLL-U's last column says next to nothing: all words would be numbers, all tags `_`.
    """
    words: list[str] = []
    for line in text_files.lines(path):
        if line.isspace() and len(words) > 1:
            break
        if line.isspace():
            words = []
        elif not line.startswith("# "):
            word = _columns(line)[0]
            words += [] if _SPAN.fullmatch(word) else [word]
            if words[-1:] not in ([], [str(len(words))]):
                return
    raise ConfigError(
        f"{path}: is CoNLL-U, whose first column numbers the words; must have the word first and "
        "its tag last, as columns 2 and 4 of it (FORM, UPOS), without rows like 1-2"
    )


def _quoted(line: str) -> str:
    return shown(line.strip(" \n"), 40)


def _columns(line: str) -> list[str]:
    line = line.rstrip("\n")
    return line.split("\t") if "\t" in line else [c for c in line.split(" ") if c]


def learn(data: ConfigDict, texts: Texts, given: Vocabulary | None = None) -> Vocabulary:
    """Learns the words, their characters and the tags of the training split.

    With a tokenizer that is `given` already, words keep its numbers; a word of the data that it
    would take apart is unknown. Characters stay as they are given, too.
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

    codec, chars = (given.x, given.chars) if given else (None, None)
    if isinstance(codec, tokenizers.Words):
        collections.deque(read(), maxlen=0)  # for the tags and the characters
        codec = tokenizers.Words(
            codec.tokens, codec.lowercase, punctuation=False, rules=codec.rules
        )
    else:
        codec = tokenizers.train(data, read(), punctuation=False)
    names = sorted(tags, key=lambda tag: (tag != _OUTSIDE, tag))
    chars = chars or tokenizers.Chars(sorted(characters))
    return Vocabulary(codec, chars=chars, labels=tuple(names))


def encode(
    data: ConfigDict, texts: Texts, split: str, words: Vocabulary, tally: Tally
) -> Iterator[Rows]:
    """Yields a split in blocks: `x` (N, T), `chars` (N, T, C), `label` int32 (N, T)."""
    found = texts.read(split)
    while block := list(itertools.islice(found, _BLOCK)):
        yield _rows(data, block, words, tally)


def _rows(data: ConfigDict, block: list[Tagged], known: Vocabulary, tally: Tally) -> Rows:
    assert known.chars is not None
    shape = (data.length, data.word_length)
    rows = word_rows([words for words, *_ in block], known.x, known.chars, shape)
    collections.deque(tally.tokens(row[row != PAD] for row in rows["x"]), maxlen=0)
    rows["label"] = np.zeros((len(block), data.length), np.int32)
    numbers = {tag: i for i, tag in enumerate(known.labels)}
    spans = scheme(known.labels)
    for i, (words, tags, where) in enumerate(block):
        n = min(len(words), data.length)
        if unknown := next((tag for tag in tags if tag not in numbers), ""):
            message = f"tag {shorten([unknown])!r} of this sentence is none of the training split's"
            raise ConfigError(f"{where}: {message}: {shorten(known.labels, 4)}")
        tally.examples += 1
        tally.cut += len(words) > n
        if spans and len(words) > n:
            found = entities(tags, spans.suffix)
            tally.entities += sum(entity.last >= n for entity in found)
        rows["label"][i, :n] = [numbers[tag] for tag in tags[:n]]
    return rows


def word_rows(
    sentences: Sequence[Sequence[str]], words: Codec, chars: Codec, shape: tuple[int, int]
) -> Rows:
    """Encodes sentences of words as `x` (N, T) and `chars` (N, T, C), padded.

    Args:
      sentences: words without white space in them.
      words, chars: the codecs.
      shape: (T, C): words of a sentence and characters of a word, beyond which both are cut.
    """
    length, word_length = shape
    kinds = [tokenizers.smallest_type(codec.vocab_size) for codec in (words, chars)]
    x = np.full((len(sentences), length), PAD, kinds[0])
    c = np.full((len(sentences), *shape), PAD, kinds[1])
    for i, sentence in enumerate(sentences):
        seen = sentence[:length]
        ids = words.encode(" ".join(seen))
        if len(ids) != len(seen):  # one has what the tokenizer takes for white space
            alone = [words.encode(word) for word in seen]
            ids = [several[0] if len(several) == 1 else UNK for several in alone]
        x[i, : len(seen)] = ids
        for j, word in enumerate(seen):
            spelled = chars.encode(word[:word_length])[:word_length]
            c[i, j, : len(spelled)] = spelled
    return {"x": x, "chars": c}


def odd_tags(tags: Sequence[str]) -> list[str]:
    """Lists what is odd in the names of tags; see `genjax.data.text.tags`."""
    marked = [tag for tag in tags if tag.upper() != _OUTSIDE]
    found = scheme(tags)
    if found is None:
        spans = [t for t in marked if any((p := parts(t, s)) and p[1] for s in (False, True))]
        others = [tag for tag in marked if tag not in spans]
        if 2 * len(spans) < len(marked) or not spans:
            return []
        why = f"mark no entities, as {shorten(spans[:1])} does: entities are not scored"
        return [f"tags {shorten(others, 5)} {why}"]
    message: list[str] = []
    letters = {tag: p[0] for tag in marked if (p := parts(tag, found.suffix))}
    small = [tag for tag, letter in letters.items() if letter.islower()]
    if small:
        message.append(
            f"tags like {shorten(small[:1])} mark entities with small letters; read as B, I"
        )
    if found.suffix:
        message.append(
            f"tags like {shorten(marked[:1])} have their letter last; read as {found.name}"
        )
    if found.name == "mixed":
        mixed = ", ".join(sorted({letter.upper() for letter in letters.values()}))
        message.append(f"tags mark entities by letters of several schemes: {mixed}")
    return message


def dataset(data: ConfigDict, words: Vocabulary, train: Entry, test: Entry) -> Dataset:
    """Makes sentences of at most `data.length` words of at most `data.word_length` characters."""
    assert words.chars is not None
    spec = DataSpec(
        "tagged",
        (data.length,),
        num_classes=len(words.labels),
        vocab_size=words.x.vocab_size,
        char_shape=(data.length, data.word_length),
        char_vocab_size=words.chars.vocab_size,
        spellings=tokenizers.spellings(words.x),
    )
    splits = source(data, "training", train), source(data, "test", test)
    return Dataset(
        spec,
        *splits,
        codec=words.x,
        char_codec=words.chars,
        labels=words.labels,
        warnings=tuple(odd_tags(words.labels)),
    )
