"""The files beside its checkpoints that a run cannot do without: each checkpoint carries them.

They are written whole or not at all, but disks and people damage files; whatever opens a run puts
back what its newest complete checkpoint has of them.
"""

import contextlib
from pathlib import Path
from typing import Any

import jax
from absl import logging

from genjax.core import files
from genjax.core.config import ConfigError
from genjax.data import TOKENIZER
from genjax.engine.best import BEST
from genjax.engine.checkpoints import Checkpoints, file_checksum
from genjax.engine.layout import (
    AUGMENT,
    CHECKPOINTS,
    CONFIG,
    POPULATION,
    PRETRAINED,
    START,
    TEACHER,
)

_OTHERS = (f"{START}/{CONFIG}", f"{PRETRAINED}/{CONFIG}")
CARRIED = (CONFIG, f"{TOKENIZER}/vocabulary.json", POPULATION, *_OTHERS, TEACHER, AUGMENT)


def collect(workdir: Path) -> dict[str, bytes]:
    """Reads what a checkpoint of the run in `workdir` is to carry: files by their names."""
    return {name: (workdir / name).read_bytes() for name in CARRIED if (workdir / name).exists()}


def repair(workdir: Path) -> None:
    """Puts back each carried file that is missing or damaged, with a warning of one line.

    The config of a run may change when it is resumed, so it is left alone if it can be read; the
    other files never change. Process 0 writes.

    Raises:
      ConfigError: a file cannot be written.
    """
    if not workdir.is_dir():
        return
    kept = [Checkpoints(workdir / folder) for folder in (CHECKPOINTS, BEST)]
    steps = sorted(((s, c) for c in kept for s in c.steps()), key=lambda found: -found[0])
    for name in CARRIED:
        for step, checkpoints in steps:
            wanted = checkpoints.carries(step).get(name)
            if wanted is None:
                continue
            what = _defect(workdir / name, name, wanted)
            content = checkpoints.read_carried(step, name) if what else None
            if content is not None and jax.process_index() == 0:
                _put_back(workdir / name, content, what, step)
            if content is not None or not what:
                break


def carried_config(workdir: Path) -> tuple[int, dict[str, Any]] | None:
    """Returns step and `config.json` of the newest complete checkpoint that carries one."""
    checkpoints = Checkpoints(workdir / CHECKPOINTS)
    for step in reversed(checkpoints.steps()):
        with contextlib.suppress(ValueError):  # what it holds may be anything
            content = checkpoints.read_carried(step, CONFIG)
            if content and is_record(record := files.parse_json(content, finite=False)):
                return step, record
    return None


def _defect(path: Path, name: str, wanted: str) -> str:
    """Says what is wrong with a file; empty: nothing."""
    if not path.exists():
        return "was missing"
    try:
        if name != CONFIG:
            return "" if file_checksum(path) == wanted else "was damaged"
        record = files.read_json(path, finite=False)
        return "" if is_record(record) else "was damaged"
    except (OSError, ValueError):
        return "was damaged"


def is_record(record: Any) -> bool:
    """Says whether this is what a `config.json` holds."""
    return isinstance(record, dict) and isinstance(record.get("config"), dict)


def _put_back(path: Path, content: bytes, what: str, step: int) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        files.write_whole(path, content)
    except OSError as error:
        reason = error.strerror or error
        message = f"{what} and cannot be written again ({reason})"
        raise ConfigError(f"{path}: {message}") from error
    logging.warning("warning: %s %s; it is that of checkpoint %d again", path, what, step)
