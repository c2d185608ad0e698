"""Python files that a user names, executed: the one place where genjax runs a file's code.

A file is executed where its user names it (`--config=FILE.py`, `--recipe=FILE.py`,
`genjax.load(…, recipe=FILE)`) and nowhere else; names that are found in data never get here.
"""

import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from genjax.core import files
from genjax.core.config import ConfigError

Result = TypeVar("Result")
_LARGEST = 2**24  # bytes of source
# What a locked ConfigDict says.
_NO_FIELD = re.compile(r'Key "(\w+)" does not exist')
_NEAR = re.compile(r'[Dd]id you mean "(\w+)"')


def execute(path: Path, message: str, needs: str) -> tuple[ModuleType, str]:
    """The module that a Python file makes, and its source text.

    While its lines run, the file's folder is the last entry of `sys.path`: the files beside it can
    be imported at its top, and none of them stands before an installed package of its name.

    Args:
      path: the file.
      message: what the user named it by, for errors.
      needs: what it must be, for errors.

    Raises:
      ConfigError: it cannot be read or run; the line is named.
    """
    source = guarded(lambda: files.read_bytes(path, _LARGEST), path, message, needs)
    code = guarded(lambda: compile(source, str(path), "exec"), path, message, needs)
    module = ModuleType(f"genjax_recipe_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where its data classes look for their annotations
    folder = str(path.absolute().parent)
    sys.path.append(folder)
    try:
        guarded(lambda: exec(code, module.__dict__), path, message, needs)
    finally:
        if folder in sys.path:  # the last one: it may be there for another reason as well
            del sys.path[len(sys.path) - 1 - sys.path[::-1].index(folder)]
    return module, source.decode("utf-8", "replace")


def guarded(f: Callable[[], Result], path: Path, message: str, needs: str) -> Result:
    """`f()`, with whatever a named file raises told in one line with its place in the file."""
    try:
        return f()
    except ConfigError:
        raise
    except (Exception, SystemExit) as error:
        line, what = _place(error, str(path)), files.reason(error)
        if isinstance(error, SyntaxError) and error.filename == str(path):
            line, what = error.lineno, error.msg
        where = f"line {line}: " if line else ""
        if isinstance(error, AttributeError | KeyError) and (name := _NO_FIELD.search(str(error))):
            near = _NEAR.search(str(error))
            hint = f"did you mean {near[1]}?" if near else "docs/fields.md lists all of a family"
            raise ConfigError(f"{message}: {where}no field {name[1]} there; {hint}") from error
        kind = type(error).__name__
        raise ConfigError(f"{message}: {where}{kind}: {what}; must be {needs}") from error


def _place(error: Any, file: str) -> int | None:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    return frames[-1].lineno if frames else None
