"""Families of one's own: files that a user names, and nothing else."""

from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from absl import logging

from genjax.core.config import ConfigError
from genjax.core.execution import execute
from genjax.core.files import read_bytes, write_whole

SOURCE = "recipe.py.txt"  # in a run's folder, for its reader; no name that can be imported
_BEFORE = "recipe.before.py.txt"
_NEEDS = "a Python file with a function build(config, spec, total_steps)"


class Own(NamedTuple):
    """A family of one's own: its `module`, the `path` of its file, and the `source` text in it."""

    module: ModuleType
    path: Path
    source: str


_NAMED: dict[str, Own] = {}  # by the stems of their files, in this process


def add(path: Path, module: ModuleType, source: str) -> None:
    """Makes `module` the family that is called like its file."""
    _NAMED[path.stem] = Own(module, path, source)


def load(given: str | Path, message: str) -> None:
    """Executes the file that a user names, and adds the family in it.

    Args:
      given: the file.
      message: what the user named it by, for errors.

    Raises:
      ConfigError: no such file, it cannot be run, or has no function `build`.
    """
    path = Path(given).expanduser().absolute()
    if not path.is_file():
        raise ConfigError(f"{message}: no such file; must be {_NEEDS}")
    if path.suffix != ".py":
        raise ConfigError(f"{message}: must end in .py; must be {_NEEDS}")
    module, source = execute(path, message, _NEEDS)
    if not callable(getattr(module, "build", None)):
        raise ConfigError(f"{message}: has no function build; must be {_NEEDS}")
    add(path, module, source)


def find(name: str) -> Own | None:
    """Finds the family of this name, if its file was named; of a module's name, the last part."""
    return _NAMED.get(name.rpartition(".")[2])


def keep(name: str, workdir: Path) -> None:
    """Writes the source text of a family of one's own into `workdir`, for the reader.

    It warns where another text is there already, and keeps that beside it.
    """
    own = find(name)
    if own is None:
        return
    if changed(name, workdir):
        what = "is another program than the one that this run was begun with, kept as"
        logging.warning("%s %s %s", own.path, what, workdir / _BEFORE)
        (workdir / SOURCE).replace(workdir / _BEFORE)
    if not (workdir / SOURCE).exists():
        write_whole(workdir / SOURCE, own.source)


def changed(name: str, workdir: Path) -> bool:
    """Says whether the file of the family `name` differs from the text that `workdir` keeps."""
    own = find(name)
    if own is None or not (workdir / SOURCE).exists():
        return False
    try:
        return read_bytes(workdir / SOURCE) != own.source.encode()
    except OSError:
        return True
