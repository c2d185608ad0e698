"""Vocabularies: what turned texts into numbers belongs to a run, and is kept in its workdir."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from genjax.core import files
from genjax.core.config import ConfigError
from genjax.data.source import Codec, Dataset
from genjax.data.text import tokenizers

FILE = "vocabulary.json"


class Vocabulary(NamedTuple):
    """The tokenizers of a data set and the names of its classes, learned from the training split.

    Attributes:
      x: of the texts.
      y: of the texts that x is to become, for pairs.
      chars: of the characters of words, for tagged words.
      labels: names of classes or tags, by number.
    """

    x: Codec
    y: Codec | None = None
    chars: Codec | None = None
    labels: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Returns all of it as JSON."""
        codecs = {name: c.to_json() for name in ("x", "y", "chars") if (c := getattr(self, name))}
        return codecs | {"labels": list(self.labels)}


def from_json(found: dict[str, Any]) -> Vocabulary:
    """Makes the vocabulary whose `to_json` this is."""
    codecs = {n: tokenizers.from_json(c) for n, c in found.items() if n != "labels"}
    for name, texts in [(n, c.get("tokens", [])) for n, c in found.items() if n != "labels"]:
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise ValueError(f"tokens of {name}: must be a list of texts")
    if not all(isinstance(name, str) for name in found["labels"]):
        raise ValueError("labels: must be a list of texts")
    return Vocabulary(**codecs, labels=tuple(found["labels"]))


def of(dataset: Dataset) -> Vocabulary:
    """Returns the vocabulary of a data set that has a codec."""
    assert dataset.codec is not None
    return Vocabulary(dataset.codec, dataset.target_codec, dataset.char_codec, dataset.labels)


def content(found: Vocabulary, kind: str) -> bytes:
    """Returns what `write` writes."""
    return json.dumps(found.to_json() | {"kind": kind}, ensure_ascii=False).encode()


def write(found: Vocabulary, kind: str, folder: Path) -> None:
    """Writes the vocabulary of data of `kind` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    files.write_whole(folder / FILE, content(found, kind))


def of_run(folder: Path, kind: str) -> Vocabulary:
    """Reads the tokenizers that another run keeps in `folder`, for data of `kind`, without labels.

    Of another kind of data it is that of the texts x alone.

    Raises:
      ConfigError: there is none, or it cannot be read.
    """
    record = _read(folder)
    if record is None:
        raise ConfigError(f"{folder / FILE}: no such file; a run of text keeps its tokenizer there")
    there, found = record
    return found._replace(labels=()) if there == kind else Vocabulary(found.x)


def load(folder: Path | None, kind: str) -> Vocabulary | None:
    """Reads the vocabulary of data of `kind` in `folder`; None where there is none.

    Raises:
      ConfigError: it cannot be read.
    """
    found = _read(folder) if folder else None
    return found[1] if found and found[0] == kind else None


def _read(folder: Path) -> tuple[str, Vocabulary] | None:
    """Reads the kind of data and their vocabulary; None where nothing is saved."""
    if not (folder / FILE).exists():
        return None
    try:
        record = files.read_json(folder / FILE)
        return str(record.pop("kind")), from_json(record)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the library has no error type of its own; a panic is no other
        message = f"{folder / FILE}: cannot be read ({type(error).__name__}: {files.reason(error)})"
        raise ConfigError(message) from error
