"""What the user can get wrong is told in one line that names the field, its value and what may be.

Programs leave with status 2.
"""

import re
from collections.abc import Iterable
from typing import Any


class ConfigError(ValueError):
    """A mistake in the config or the data, told in one line."""


def fail(field: str, value: Any, allowed: str) -> ConfigError:
    """The error for `field`: one line with its value and what is allowed."""
    return ConfigError(f"config.{field}={value!r}: {allowed}")


def in_python(error: ConfigError) -> ConfigError:
    """The error as a caller from Python reads it: `workdir='runs/a'` for `--workdir=runs/a`."""

    def spelled(match: re.Match[str]) -> str:
        name, value = match.groups()
        return f"{name}={value}" if value.isdecimal() else f"{name}={value!r}"

    text = re.sub(r"^--(\w+)=(.*?)(?=: )", spelled, str(error))
    return type(error)(re.sub(r"--(?=[a-z])", "", text))


def choose(field: str, value: Any, allowed: Iterable[str]) -> None:
    """Raises `ConfigError` unless `value` is one of `allowed`."""
    allowed = tuple(allowed)
    if value not in allowed:
        raise fail(field, value, f"must be one of {', '.join(allowed)}")
