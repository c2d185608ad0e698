"""Results of single runs that outlive their folders: a small JSON file of one row a run."""

import hashlib
import json
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from genjax import families, recipes
from genjax.core import files
from genjax.core.config import ConfigError
from genjax.engine.versions import ran_on
from genjax.engine.workdir import FREE
from genjax.engine.writers import METRICS, read_metrics

Row = dict[str, Any]
NOTHING = "Nothing is recorded with these settings yet."
_KEY = ("method", "seed", "config")


def path(flag: str) -> Path:
    """Returns the file that `--record` names; raises `ConfigError` unless it is a .json file."""
    found = Path(flag).expanduser().absolute()
    if found.suffix != ".json":
        raise ConfigError(f"--record={flag}: must be the name of a .json file")
    return found


def digest(config: ConfigDict, **protocol: Any) -> str:
    """Returns that of a run's settings but its seed, and of how it is scored; 16 digits.

    A field at its family's default says nothing, so that a field which is added later, at a default
    that leaves everything as it was, changes no digest; nor do fields that a run may be resumed
    with other values of.
    """
    usual = dict(recipes.flat(families.default_config(config.family)))
    changed = {
        field: value
        for field, value in recipes.flat(config)
        if field != "seed" and field not in FREE and (field not in usual or usual[field] != value)
    }
    text = json.dumps({"config": changed} | protocol, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read(path: Path) -> list[Row]:
    """Reads all rows; none where there is no such file.

    Raises:
      ConfigError: the file is no such record.
    """
    if not path.exists():
        return []
    with files.reading(path):
        rows = files.read_json(path)
        if not isinstance(rows, list) or not all(set(_KEY) <= set(row) for row in rows):
            raise ConfigError(
                f"{path}: is no record; must be a list of rows with {', '.join(_KEY)}"
            )
    return rows


def find(rows: list[Row], method: str, config: str, seed: int | None = None) -> list[Row]:
    """Finds the rows of a method with the digest `config`, of one seed or all, by their seeds."""
    found = [r for r in rows if r["method"] == method and r["config"] == config]
    return sorted((r for r in found if seed in (None, r["seed"])), key=lambda r: r["seed"])


def add(path: Path, row: Row) -> None:
    """Adds a row, with what it ran on, to those that are in the file by now.

    A row of the same method, seed and digest is replaced; all others stay as they are.

    Raises:
      ConfigError: the file is no record, or cannot be written.
    """
    key = [row[name] for name in _KEY]
    rows = [r for r in read(path) if [r[name] for name in _KEY] != key]
    rows = sorted([*rows, row | ran_on()], key=lambda r: (r["method"], r["seed"], r["config"]))
    lines = ",\n".join(json.dumps(r) for r in rows)  # a line each: changes of two machines merge
    with files.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(path, f"[\n{lines}\n]\n")


def write_page(path: Path, text: str) -> Path:
    """Writes the page beside a record, of the same name with `.md`; returns its path."""
    page = path.with_suffix(".md")
    with files.writing(page):
        files.write_whole(page, text)
    return page


def length(folder: Path) -> Row:
    """Returns the updates of a run and the seconds that they took, without the last evaluation."""
    rows = [r for r in read_metrics(folder / METRICS) if any(n.startswith("train/") for n in r)]
    last = rows[-1] if rows else {}
    return {"steps": last.get("step", 0), "seconds": last.get("wall_seconds", 0.0)}
