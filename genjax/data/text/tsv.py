"""`tsv:FILE`: a labeled sentence a line.

A header line, as GLUE's files have it (`sentence<TAB>label`), is known by its names and left out.
"""

from collections.abc import Iterator
from pathlib import Path

from ml_collections import ConfigDict

from genjax.core.config import ConfigError
from genjax.core.files import shown
from genjax.data.text import files as text_files
from genjax.data.text.source import Texts

# Names of columns, by what they hold.
_SENTENCES = {
    "sentence", "sentences", "sentence1", "text", "texts", "review", "tweet", "question", "query",
    "phrase", "utterance", "content", "document", "comment", "message", "sms", "title", "headline",
    "input",
}  # fmt: skip
_LABELS = {
    "label", "labels", "class", "classes", "category", "target", "sentiment", "tag", "topic",
    "intent", "emotion", "score", "rating", "polarity", "gold", "gold_label", "y", "output",
}  # fmt: skip


def texts(data: ConfigDict) -> Texts:
    """Reads sentences and their classes; leaves out empty lines and a header line.

    Raises:
      ConfigError: a header line names the class first; at reading, a line is not
        `sentence<TAB>label`.
    """
    train, test = text_files.files(data, "tsv:FILE")
    read = text_files.splits(data, _read, train, test, lambda item: [item[1]])
    warnings = []
    for path in dict.fromkeys([*train, *test]):
        first = next(text_files.lines(path))
        if _is_header(first, path):
            message = f"the header line {_quoted(first)} is left out"
            warnings.append(f"{path}: line 1: {message}")
    return Texts(
        "sentence",
        text_files.stamps(train, test, classes=True),
        read,
        source=text_files.origin(data, test),
        warnings=tuple(warnings),
    )


def _read(path: Path) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(text_files.lines(path), 1):
        if line.isspace() or (number == 1 and _is_header(line, path)):
            continue
        sentence, _, label = (part.strip() for part in line.rpartition("\t"))
        where = f"{path}: line {number}"
        if not line.count("\t") or not sentence or not label:
            raise ConfigError(f"{where}: must be sentence<TAB>label, not {_quoted(line)}")
        yield sentence, label, where


def _is_header(line: str, path: Path) -> bool:
    """Says whether a file's first line names its columns."""
    *others, last = (cell.strip(" \n\"'").casefold() for cell in line.split("\t"))
    if last in _SENTENCES and _LABELS.intersection(others):
        message = f"{_quoted(line)} names the class first; must be sentence<TAB>label"
        raise ConfigError(f"{path}: line 1: {message}")
    return last in _LABELS and bool(_SENTENCES.intersection(others))


def _quoted(line: str) -> str:
    return shown(line.rstrip("\n"), 40)
