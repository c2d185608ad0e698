"""Writes `docs/fields.md`, the table of all config fields, from the declared fields.

python docs/generate.py

A test compares what it would write with what is there.
"""

import dataclasses
import importlib
import sys
from pathlib import Path

from ml_collections import ConfigDict

from genjax import families
from genjax.core.config import get
from genjax.core.fields import Field, described

PAGE = Path(__file__).with_name("fields.md")
_HEAD = """\
# Fields

Every field of every family's config, as `--config.FIELD=VALUE`, with its default before a recipe
changes it. This page is written by `docs/generate.py` from the declared fields. The fields that all
configs share (`steps`, `batch_size`, `data.name`, `optimizer.learning_rate`, …) are explained in
`genjax/core/config.py`.
"""


def page() -> str:
    """Returns the text of the page."""
    return "\n".join([_HEAD, *(_section(name) for name in families.names())])


def _section(family: str) -> str:
    rows = ["| field | default | allowed | meaning |", "|---|---|---|---|"]
    config = families.default_config(family)
    for field in _fields(family, config):
        cells = (f"`{field.name}`", _shown(get(config, field.name)), field.allowed, field.meaning)
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join([f"## {family}", "", *rows, ""])


def _fields(family: str, config: ConfigDict) -> list[Field]:
    """Describes the sections that are declared by the family's module, or by one it shares."""
    module = importlib.import_module(f"genjax.families.{family}")
    shared = [m for name, m in sys.modules.items() if name.startswith("genjax.families._")]
    kinds = {
        frozenset(f.name for f in dataclasses.fields(kind)): kind
        for found in [*shared, module]
        for kind in vars(found).values()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind)
    }
    sections = {name: frozenset(s) for name, s in config.items() if isinstance(s, ConfigDict)}
    declared = {name: kinds[keys] for name, keys in sections.items() if keys in kinds}
    return [field for name, kind in declared.items() for field in described(kind, name)]


def _shown(value: object) -> str:
    return f"`{value!r}`" if value != "" else '`""`'


if __name__ == "__main__":
    PAGE.write_text(page())
