"""Evaluation numbers as a table for the terminal."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from genjax.core.members import explained, spread


def table(
    numbers: Mapping[str, Any], *, title: str = "", notes: Mapping[str, str] | None = None
) -> str:
    """Prints names and values in two aligned columns of plain text, one number a line.

    Counts print whole and other numbers with four significant digits. Of a population (an array of
    more than one value) the mean is printed with its standard error and the range over the members
    that are finite, and a last line says what ± is. A name that ends in `histogram` or starts with
    `counts` prints all its values, one that ends in `per_latent` those of each latent (of a
    population their means over its members).

    Args:
      numbers: by name: numbers, arrays, texts or mappings of them, which become `outer/inner`.
      title: a line above, underlined.
      notes: by flattened name, what a number holds for; printed behind it.
    """
    counts: set[int] = set()  # of members, behind each ±
    rows = [(name, _text(name, value, counts)) for name, value in _flat(numbers)]
    message = {name: f"  ({note})" for name, note in (notes or {}).items()}
    rows = [(name, text + message.get(name, "")) for name, text in rows]
    if not rows:
        return "(no numbers)"
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {text}" for name, text in rows]
    lines += filter(None, [explained(counts)])
    if title:
        lines = [title, "-" * max(map(len, [title, *lines])), *lines]
    return "\n".join(lines)


def _flat(numbers: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in numbers.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}/")
        else:
            rows.append((f"{prefix}{name}", value))
    return rows


def _text(name: str, value: Any, counts: set[int]) -> str:
    if value is None or isinstance(value, str):
        return str(value)
    values = np.asarray(value)
    if values.ndim == 0:
        return _number(values[()])
    short = name.rpartition("/")[2]
    if short.endswith("per_latent"):
        values = values.reshape(-1, values.shape[-1]).mean(axis=0)
        return " ".join(_number(float(v)) for v in values)
    if short.endswith("histogram") or short.startswith("counts"):
        return " ".join(_number(v) for v in values.ravel())
    if values.dtype.kind not in "biuf":
        return " ".join(str(v) for v in values.ravel())
    if values.size == 1:
        return _number(values.ravel()[0])
    over = spread(values)
    if not over.finite:
        return f"nan  (none of {values.size} members is finite)"
    counts.add(over.finite)
    finite = values[np.isfinite(values)]
    of = f"{over.finite} of {values.size}" if over.lost else f"{values.size}"
    lost = ", the others are not finite" if over.lost else ""
    low, high = _number(finite.min()), _number(finite.max())
    return f"{over}  ({low} to {high}, {of} members{lost})"


def _number(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    return f"{float(value):.4g}"
