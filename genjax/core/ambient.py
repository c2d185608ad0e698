"""Settings that hold for what is traced inside of a `with`, so that no function passes them on."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TypeVar

_T = TypeVar("_T")


@contextlib.contextmanager
def setting(variable: ContextVar[_T], value: _T) -> Iterator[None]:
    """Gives a variable a value, and the one of before at the end."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
