"""`tsv:FILE`: a labelled sentence a line."""

from collections.abc import Iterator
from pathlib import Path

from ml_collections import ConfigDict

from genjax.core.config import ConfigError
from genjax.data import text_files
from genjax.data.texts import Texts


def texts(data: ConfigDict) -> Texts:
    """Sentences and their classes; empty lines are left out.

    Raises:
      ConfigError: at reading, a line that is not `sentence<TAB>label`.
    """
    train, test = text_files.files(data, "tsv:FILE")
    read = text_files.splits(data, _read, train, test)
    return Texts("sentence", text_files.stamps(train, test), read)


def _read(path: Path) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(text_files.lines(path), 1):
        if line.isspace():
            continue
        sentence, _, label = (part.strip() for part in line.rpartition("\t"))
        where = f"{path}: line {number}"
        if not line.count("\t") or not sentence or not label:
            raise ConfigError(f"{where}: must be sentence<TAB>label, not {_shown(line)}")
        yield sentence, label, where


def _shown(line: str) -> str:
    line = line.rstrip("\n")
    return repr(line if len(line) <= 40 else line[:40] + "…")
