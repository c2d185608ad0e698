"""A run that is not finite any more: what is left of it, and how it may go on."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from genjax import families
from genjax.core import files

RECORD = "diverged.json"  # in the workdir; while it is there, learning rates may be others
_RATE = "optimizer.learning_rate"  # how the fields' names end


class Diverged(RuntimeError):
    """Training is not finite any more; the message names the step and the last good checkpoint.

    Attributes:
      rates: learning rates to go on with, by config field.
    """

    def __init__(self, message: str, rates: Mapping[str, float]):
        super().__init__(message)
        self.rates = dict(rates)


def read(workdir: Path) -> dict[str, Any] | None:
    """Reads what a diverged run left: `what`, at which `step`, learning `rates` by field."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        record = files.read_json(workdir / RECORD)
        if isinstance(record, dict) and isinstance(record.get("rates"), dict):
            return record | {"step": int(record["step"])}
    return None


def may_change(field: str) -> bool:
    """Says whether a diverged run may be resumed with another value of this config field."""
    return field.endswith(_RATE)


def rates(config: ConfigDict) -> dict[str, float]:
    """Returns the learning rates of a config, by field."""
    return {
        f"{section}.learning_rate": config[section].learning_rate
        for section in config
        if section.endswith("optimizer")
    }


def lower_rates(config: ConfigDict) -> dict[str, float]:
    """Returns rates worth a try: a tenth, or the family's own where that is still lower."""
    usual = rates(families.default_config(config.family))
    return {
        field: float(f"{min(rate / 10, usual.get(field) or rate):.3g}")
        for field, rate in rates(config).items()
        if rate > 0
    }


def goes_on_with(record: Mapping[str, Any], config: ConfigDict) -> str:
    """Says with which rates a diverged run goes on; empty where they are the same."""
    new = {f: v for f, v in rates(config).items() if v != record["rates"].get(f)}
    changes = ", ".join(f"{f}={v} (was {record['rates'].get(f)})" for f, v in new.items())
    return f"; it had diverged and goes on with {changes}" if new else ""
