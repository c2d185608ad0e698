"""Writes `docs/fields.md`, the tables of all config fields, from the declared fields.

python docs/generate.py

A test compares what it would write with what is there.
"""

from collections.abc import Iterable
from pathlib import Path

from genjax import families
from genjax.core.config import Base, TextData
from genjax.core.fields import Field, described

PAGE = Path(__file__).with_name("fields.md")
_HEAD = """\
# Fields

Every field of every config, as `--config.FIELD=VALUE`, with its default before a recipe changes it.
`--help` beside `--config` prints those of a recipe with the recipe's values. This page is written
by `docs/generate.py` from the declared fields.
"""
_FAMILIES = """\
## Of a family

What a family adds, and where its default differs from those above.
"""


def page() -> str:
    """Returns the text of the page."""
    base = list(described(Base))
    text = [field for field in described(TextData, "data") if field not in base]
    own = {
        name: [
            f for f in families.described(name) if f not in [*base, *text] and f.name != "family"
        ]
        for name in families.names()
    }
    parts = ["## Of all families\n", _table(base), "## Of texts\n", _table(text), _FAMILIES]
    return "\n".join(
        [_HEAD, *parts, *(f"### {n}\n\n{_table(fields)}" for n, fields in own.items())]
    )


def _table(fields: Iterable[Field]) -> str:
    rows = ["| field | default | allowed | meaning |", "|---|---|---|---|"]
    for name, default, allowed, meaning in fields:
        shown = f"`{default!r}`" if default != "" else ""
        cells = (f"`{name}`", shown, allowed, meaning)
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join([*rows, ""])


if __name__ == "__main__":
    PAGE.write_text(page())
