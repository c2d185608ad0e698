"""Text files: UTF-8, plain or gzip, read line by line however large they are."""

import functools
import gzip
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import ConfigError, fail
from genjax.core.files import LONGEST_LINE, opened, reading
from genjax.data.shuffle import permuted
from genjax.data.text.source import Texts

Item = TypeVar("Item")
_LONGEST = 2**20  # bytes; a longer line of a running text is taken for several
_NEAR = 1000  # characters before a cut where white space is looked for
_SPACE = re.compile(r"\s")


def texts(data: ConfigDict) -> Texts:
    """Reads `text:FILE`: a running text, or a sentence a line.

    Without `data.test` the last `data.test_fraction` of the characters of a running text are the
    test split, cut at white space, if some is near, unless characters are the tokens; of sentences
    a fixed random part. Running text keeps its line ends; where words are the tokens each line is a
    text, and empty lines are left out. So are they among sentences.
    """
    (path,), test = files(data, "text:FILE")
    identity = stamps([path], test)
    if data.kind == "sentence":

        def read(path: Path) -> Iterator[tuple[str, str, str]]:
            found = ((line.strip(), "", "") for line in lines(path))
            return (item for item in found if item[0])

        return Texts(
            "sentence", identity, splits(data, read, [path], test), source=origin(data, test)
        )
    if data.kind == "tagged":
        raise fail("data.kind", data.kind, f"{data.name} has no tags; must be text or sentence")
    by_line = data.tokenizer == "word"
    where = origin(data, test)
    if not test:
        where = f"its last {data.test_fraction:.3g} is the test split"
    read_running = _running(data, path, test, by_line)
    return Texts(data.kind, identity, read_running, ends=by_line, source=where)


def lines(path: Path, longest: int = -1, blank: bool = False) -> Iterator[str]:
    """Yields the lines of a file with their ends, "\\n" or "\\r\\n" as "\\n".

    All text files that a user names are read by this. Nothing else ends a line, whatever Unicode
    says of it (U+2028, a form feed), and a byte order mark is left out.

    Args:
      path: of the file, plain or gzip, whatever its name.
      longest: where a longer line is cut, in bytes, if possible after a space.
      blank: whether a file may hold nothing but white space, if it has a line.

    Raises:
      ConfigError: the file cannot be read, is empty, is not UTF-8, or holds a NUL byte, which no
        text does; names the line.
    """
    number, rest, some = 1, b"", False
    with reading(path), _open(path) as f:
        while raw := rest + f.readline((longest if longest > 0 else LONGEST_LINE) - len(rest)):
            rest = b""
            if longest <= 0 and len(raw) == LONGEST_LINE:  # of a small gzip file, it may be
                raise ConfigError(f"{path}: line {number} has more than {LONGEST_LINE:,} bytes")
            if 0 < longest <= len(raw) and not raw.endswith(b"\n"):
                at = _cut(raw)
                raw, rest = raw[:at], raw[at:]
            yield _decoded(path, number, raw)
            number, some = number + raw.endswith(b"\n"), some or blank or not raw.isspace()
    if not some:
        raise ConfigError(f"{path}: is empty; must hold text")


def whole_lines(path: Path) -> list[str]:
    """Reads the lines of a file that asks for an answer to each: without ends, blank ones too."""
    return [line.removesuffix("\n") for line in lines(path, blank=True)]


def origin(data: ConfigDict, test: list[Path]) -> str:
    """Says where the splits of files come from."""
    if test:
        return f"test split of {', '.join(map(str, test))}"
    return f"a random {data.test_fraction:.3g} of it is the test split"


def files(data: ConfigDict, form: str) -> tuple[list[Path], list[Path]]:
    """Finds the files of the training split and those of `data.test`, which may be none.

    Each is looked for in the current folder, then in `data.dir`.

    Args:
      data: the section; its name is a prefix and, after a colon, file names that commas separate.
      form: how the name must look, `pairs:SRC,TGT`.

    Raises:
      ConfigError: too few or too many names, or no such file.
    """
    names = data.name.partition(":")[2].split(",")
    wanted = form.partition(":")[2].split(",")
    if len(names) != len(wanted) or not all(names):
        raise fail("data.name", data.name, f"must be {form}")
    test = data.test.split(",") if data.test else []
    if test and (len(test) != len(wanted) or not all(test)):
        raise fail("data.test", data.test, f"must be {','.join(wanted)}, as in data.name")
    found = [_find(data, "data.name", data.name, name) for name in names]
    return found, [_find(data, "data.test", data.test, name) for name in test]


def stamps(train: list[Path], test: list[Path], classes: bool = False) -> dict[str, Any]:
    """Returns JSON that changes whenever a file does; `classes`: whether `splits` looks at them."""

    def stamp(path: Path) -> list[Any]:
        info = path.stat()
        return [str(path.resolve()), info.st_size, info.st_mtime_ns]

    found: dict[str, Any] = {"train": [stamp(p) for p in train], "test": [stamp(p) for p in test]}
    if classes and not test:  # what was kept of older splits may lack a class
        found["split"] = "keeps classes"
    return found


def splits(
    data: ConfigDict,
    read: Callable[..., Iterator[Item]],
    train: list[Path],
    test: list[Path],
    classes: Callable[[Item], Iterable[str]] | None = None,
) -> Callable[[str], Iterator[Item]]:
    """Returns a function that reads a split of what `read(*files)` reads.

    Without test files a fixed random `data.test_fraction` of the items, rounded and at least one,
    are the test split. Of what has `classes` (or tags) the first item of each stays in training,
    where chance has held out all: no model could learn it.
    """

    @functools.cache
    def is_test() -> np.ndarray:
        found = (frozenset(classes(item) if classes else ()) for item in read(*train))
        same: dict[frozenset[str], frozenset[str]] = {}  # equal ones are one object: there are few
        kinds = [same.setdefault(kind, kind) for kind in found]
        n = len(kinds)
        num_test = max(1, round(data.test_fraction * n))
        if num_test >= n:
            raise fail("data.test_fraction", data.test_fraction, f"leaves none of {n} to train on")
        order = permuted(np.arange(n, dtype=np.uint32), 0, np.zeros(2, np.uint32), n, np)
        held_out = order < num_test
        learned: set[str] = set().union(*(kinds[i] for i in np.flatnonzero(~held_out)))
        for i in np.flatnonzero(held_out):
            if not kinds[i] <= learned:
                held_out[i] = False
                learned |= kinds[i]
        return held_out

    def part(split: str) -> Iterator[Item]:
        if test:
            return read(*(train if split == "train" else test))
        wanted = split == "test"
        if wanted and not is_test().any():
            message = (
                "holds out what has classes or tags of its own; must be more, or set data.test"
            )
            raise fail("data.test_fraction", data.test_fraction, message)
        return (item for item, held_out in zip(read(*train), is_test()) if held_out == wanted)

    return part


def _running(
    data: ConfigDict, path: Path, test: list[Path], by_line: bool
) -> Callable[[str], Iterator[str]]:
    @functools.cache
    def train_characters() -> int:
        return int(sum(map(len, lines(path, _LONGEST))) * (1 - data.test_fraction))

    def pieces(split: str) -> Iterator[str]:
        if test:
            yield from lines(path if split == "train" else test[0], _LONGEST)
            return
        left = train_characters()
        for piece in lines(path, _LONGEST):
            at = min(left, len(piece))
            if 0 < at < len(piece) and data.tokenizer != "char":
                # Scripts without spaces are cut anywhere.
                spaces = _SPACE.finditer(piece, max(at - _NEAR, 0), at)
                at = left = max((space.end() for space in spaces), default=at)
            left -= at
            if part := piece[:at] if split == "train" else piece[at:]:
                yield part
            if split == "train" and not left:
                return

    def read(split: str) -> Iterator[str]:
        return (p for p in pieces(split) if not p.isspace()) if by_line else pieces(split)

    return read


def _find(data: ConfigDict, field: str, value: str, name: str) -> Path:
    path = Path(name).expanduser()
    folders = [Path(), Path(data.dir).expanduser()] if data.dir else [Path()]
    for folder in folders:
        if (folder / path).is_file():
            return folder / path
    what = "is a folder; must be a file" if path.is_dir() else "no such file"
    where = f" here or in {data.dir}" if data.dir and not path.is_dir() else ""
    raise fail(field, value, f"{name}: {what}{where}")


def _open(path: Path) -> BinaryIO:
    with opened(path) as f:
        packed = f.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb")


def _cut(raw: bytes) -> int:
    """Finds where to cut a part of a line: after its last space, else its last whole character."""
    if at := raw.rfind(b" ") + 1:
        return at
    for back in range(1, 5):
        byte = raw[-back]
        if byte & 0xC0 != 0x80:  # begins a character
            size = 1 if byte < 0x80 else 2 + (byte >= 0xE0) + (byte >= 0xF0)
            return len(raw) - (back if size > back else 0)
    return len(raw)


def no_text(error: UnicodeDecodeError) -> str:
    """Says which byte is none of UTF-8, and where it stands."""
    return f"byte 0x{error.object[error.start]:02x} at column {error.start + 1}"


def _decoded(path: Path, number: int, raw: bytes) -> str:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: line {number}: is not UTF-8 ({no_text(error)})") from error
    if "\0" in text:  # ASCII in UTF-16 is UTF-8 with a NUL beside each letter
        raise ConfigError(f"{path}: line {number}: holds a NUL byte; is it UTF-16? must be UTF-8")
    text = text.removeprefix("\ufeff") if number == 1 else text
    return text[:-2] + "\n" if text.endswith("\r\n") else text
