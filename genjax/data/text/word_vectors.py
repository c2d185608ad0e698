"""Words with their vectors: what is near what; files of word2vec's program, and of GloVe."""

import codecs
import contextlib
import gzip
import itertools
import mmap
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from genjax.core import files
from genjax.core.config import ConfigError

_LONGEST_WORD, _LONGEST_NUMBER = 2**16, 64  # bytes in a line of text
_SMALL = 2**20  # bytes of memory that need no asking


class WordVectors:
    """A vocabulary of V different words, the most frequent first, and its table, float32 (V, D)."""

    def __init__(self, words: Sequence[str], vectors: np.ndarray):
        self.words, self.vectors = list(words), np.asarray(vectors, np.float32)
        if self.vectors.ndim != 2 or len(self.words) != len(self.vectors):
            raise ValueError(f"{len(self.words)} words, vectors of shape {self.vectors.shape}")
        self.index: dict[str, int] = {}
        for i, word in enumerate(self.words):
            self.index.setdefault(word, i)  # of two vectors the first counts

    @cached_property
    def unit(self) -> np.ndarray:
        """The vectors, each divided by its length; float32 (V, D)."""
        norm_Vx1 = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        return self.vectors / np.maximum(norm_Vx1, np.finfo(np.float32).tiny)

    def similarity(self, a: str, b: str) -> float:
        """Computes the cosine of two words; `KeyError` for one without a vector."""
        return float(self.unit[self.index[a]] @ self.unit[self.index[b]])

    def most_similar(
        self, positive: Sequence[str], negative: Sequence[str] = (), n: int = 10
    ) -> list[tuple[str, float]]:
        """Finds the n words, none of those given, nearest to the mean of some minus others.

        `most_similar(["king", "woman"], ["man"])` asks what is to woman as king is to man (Mikolov
        et al. 2013c, "Linguistic regularities in continuous space word representations").

        Raises:
          KeyError: a word has no vector.
        """
        given = [self.index[word] for word in (*positive, *negative)]
        signs = np.repeat([1.0, -1.0], [len(positive), len(negative)]).astype(np.float32)
        mean_D = signs @ self.unit[given]
        cosine_V = self.unit @ (mean_D / max(np.linalg.norm(mean_D), np.finfo(np.float32).tiny))
        cosine_V[given] = -np.inf
        most = min(n, len(self.words) - len(set(given)))
        nearest = np.argsort(-cosine_V, kind="stable")[:most]
        return [(self.words[i], float(cosine_V[i])) for i in nearest]

    def write(self, path: str | Path) -> None:
        """Writes the binary format where the name ends in `.bin`, else text (`.gz`: compressed).

        Raises:
          ValueError: a word holds white space, which separates words in these formats.
        """
        for word in self.words:
            if word.split() != [word]:
                raise ValueError(f"{word!r} holds white space; these formats cannot")
        header = f"{len(self.words)} {self.vectors.shape[1]}\n".encode()
        path = Path(path)
        with contextlib.ExitStack() as stack:
            file: Any = stack.enter_context(files.replacing(path))
            if path.suffix == ".gz":
                file = stack.enter_context(gzip.open(file, "wb"))
            file.write(header)
            for word, vector in zip(self.words, self.vectors):
                if path.suffix == ".bin":
                    file.write(word.encode() + b" " + vector.astype("<f4").tobytes() + b"\n")
                else:
                    # The shortest decimals that give the same float32 again.
                    numbers = " ".join(str(x) for x in vector)
                    file.write(f"{word} {numbers}\n".encode())


def read(path: str | Path) -> WordVectors:
    """Reads what `WordVectors.write`, word2vec's program, gensim or GloVe wrote.

    Binary files are told by `.bin`; those of GloVe are text without a first line that says how many
    vectors there are. Of a word that they hold twice, the first vector counts.

    Raises:
      ConfigError: no such file, or it is of none of these formats.
    """
    path = Path(path).expanduser()
    with files.reading(path):
        return _read_binary(path) if path.suffix == ".bin" else _read_text(path)


def _read_text(path: Path) -> WordVectors:
    files.opened(path).close()  # a regular file
    size_of_text = path.stat().st_size * (files.PACKED if path.suffix == ".gz" else 1)
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        first = file.readline(_LONGEST_WORD).removeprefix(codecs.BOM_UTF8)
        if len(first.split()) > 2:
            return _read_glove(path, first, file)
        size, dim = _header(path, first, size_of_text)
        words, vectors = [], np.empty((size, dim), np.float32)
        longest = _LONGEST_WORD + _LONGEST_NUMBER * dim
        for i in range(size):
            word, *numbers = file.readline(longest).rstrip(b"\r\n").decode().rstrip(" ").split(" ")
            try:
                vectors[i] = np.array(numbers, np.float32).reshape(dim)
            except ValueError as error:
                what = f"must be a word and {dim} numbers"
                raise ConfigError(f"{path}, line {i + 2}: {what}") from error
            words.append(word)
        # The end of a packed file, too, which says whether it is whole.
        if file.read(longest).strip():
            raise _more(path, size)
    return _checked(path, words, vectors)


def _read_glove(path: Path, first: bytes, rest: Any) -> WordVectors:
    """Reads lines of a word and as many numbers as the `first` one has; words may hold spaces."""
    dim = len(first.split()) - 1
    found: dict[str, np.ndarray] = {}
    longest = _LONGEST_WORD + _LONGEST_NUMBER * dim
    lines = itertools.chain([first], iter(lambda: rest.readline(longest), b""))
    for number, line in enumerate(lines, 1):
        word, *numbers = line.decode().rstrip().rsplit(" ", dim)
        try:
            vector = np.array(numbers, np.float32).reshape(dim)
        except ValueError as error:
            what = "must be two numbers, of words and of their dimensions, or" * (number == 1)
            what = f"{what} must be a word and {dim} numbers".strip()
            raise ConfigError(f"{path}, line {number}: {what}") from error
        found.setdefault(word, vector)
    return _checked(path, list(found), np.stack(list(found.values())))


def _read_binary(path: Path) -> WordVectors:
    with files.opened(path) as file:
        size, dim = _header(path, file.readline(_LONGEST_WORD), path.stat().st_size)
        words, vectors = [], np.empty((size, dim), np.float32)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            at = file.tell()
            for i in range(size):
                end = data.find(b" ", at)
                if end < 0 or end + 1 + 4 * dim > len(data):
                    raise ConfigError(f"{path}: ends within vector {i + 1} of {size}")
                # word2vec's program ends vectors with a line break, gensim does not.
                words.append(data[at:end].lstrip(b"\n").decode())
                vectors[i] = np.frombuffer(data[end + 1 : end + 1 + 4 * dim], "<f4")
                at = end + 1 + 4 * dim
            if data[at : at + _LONGEST_NUMBER].strip(b"\r\n"):
                raise _more(path, size)
    return _checked(path, words, vectors)


def _checked(path: Path, words: list[str], vectors: np.ndarray) -> WordVectors:
    """Refuses vectors with NaN or infinite numbers, which would be near to every word."""
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        i = int(np.argmin(finite))
        word = files.shown(words[i])
        raise ConfigError(f"{path}: vector {i + 1}, of {word}, holds NaN or infinite numbers")
    return WordVectors(words, vectors)


def _more(path: Path, size: int) -> ConfigError:
    return ConfigError(f"{path}: holds more than the {size:,} vectors that line 1 announces")


def _header(path: Path, line: bytes, room: int) -> tuple[int, int]:
    """Reads the number of words and of dimensions, which a file of `room` bytes may hold."""
    try:
        size, dim = map(int, line.split())
        if size < 1 or dim < 1:
            raise ValueError
    except ValueError as error:
        what = "must be two numbers, of words and of their dimensions"
        raise ConfigError(f"{path}, line 1: {what}") from error
    if 4 * size * dim > 4 * room + _SMALL:  # a file that was cut is read up to where it ends
        message = f"announces {size:,} vectors of {dim:,} numbers, more than the file can hold"
        raise ConfigError(f"{path}, line 1: {message}")
    return size, dim
