"""Model families, one module each; a new one is found by its file name."""

import importlib
import os
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ml_collections import ConfigDict

from genjax.core import fields, files
from genjax.core.config import Base, ConfigError, base, fail, fill, of_texts
from genjax.core.family import DataSpec, Family
from genjax.core.fields import Field
from genjax.families import _own

# What tokens mean. Without vocab_size and min_count: they bound a vocabulary that is learned.
_TOKENS = ("tokenizer", "lowercase")


def names() -> list[str]:
    """Lists the families: the modules of this package."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> Family:
    """Builds the family that `config.family` names.

    It is a module of this package, or a family of one's own: the file that the user named, which
    has a `build` of this signature. A name alone, which may come from a config that was downloaded,
    never imports anything.

    Raises:
      ConfigError: no such family, or a field of its config is out of range.
    """
    family: Family = _module(config.family).build(config, spec, total_steps)
    return family


def default_config(name: str) -> ConfigDict:
    """Returns every field of the family `name` with its default; of one's own perhaps none.

    Raises:
      ConfigError: no such family.
    """
    module = _module(name)
    return module.default_config() if hasattr(module, "default_config") else ConfigDict()


def described(name: str) -> list[Field]:
    """Describes every field of the family `name`; of one's own those that its `Config` declares.

    Raises:
      ConfigError: no such family.
    """
    return list(fields.described(getattr(_module(name), "Config", Base)))


def examples_per_step(config: ConfigDict) -> int:
    """Counts the training examples that one step of the family consumes, inner updates included.

    That is `batch_size`, or what a function `examples_per_step` in the family's module says.

    Raises:
      ConfigError: no such family, or a field that it depends on is out of range.
    """
    count = getattr(_module(config.family), "examples_per_step", None)
    return int(count(config) if count else config.batch_size)


def completed(recorded: Mapping[str, Any]) -> ConfigDict:
    """Makes the config that JSON has recorded, with tuples and all of today's fields.

    A field that is younger than the record, at its default, is what the run has always done.

    Raises:
      ConfigError: no such family, or a value of another type than its default.
    """
    config = ConfigDict(_tuples(recorded))
    fill(config, base())  # the family among others
    fill(config, default_config(config.family))
    return config


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tuples(v) for name, v in value.items()}
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def adopt(config: ConfigDict, other: ConfigDict) -> dict[str, Any]:
    """Returns the fields of `config`, by dotted names, that the run of `other` decides.

    Of texts these are the tokens. A family whose module has an `adopt` of this signature adds what
    its networks depend on, such as widths; other fields that differ show in shapes.

    Args:
      config: of the run that begins; its section `start` names the other run.
      other: of the run that it starts from.

    Raises:
      ConfigError: such a run cannot start from that one.
    """
    found: dict[str, Any] = {}
    if of_texts(config.data):
        if not of_texts(other.data):
            message = f"is a run of the family {other.family}, which reads no texts; must read some"
            raise fail("start.workdir", config.start.workdir, message)
        found = {f"data.{name}": other.data[name] for name in _TOKENS}
    module = _module(config.family)
    return found | (module.adopt(config, other) if hasattr(module, "adopt") else {})


def load(recipe: str | os.PathLike[str], message: str) -> None:
    """Executes the file of a family of one's own, which the user names; it is called like its file.

    Args:
      recipe: the file, of any folder.
      message: what the user named it by, for errors.

    Raises:
      ConfigError: no such file, it cannot be run, or has no function `build`.
    """
    _own.load(Path(recipe), message)


def check_needed(recipe: str | os.PathLike[str], config: ConfigDict, message: str) -> None:
    """Refuses the file of a family of one's own that a config has no use for.

    It has if the family is its own, or perhaps that of another run, whose folder it names.

    Args:
      recipe: the file, see `load`.
      config: of the run.
      message: what the user named the file by, for errors.

    Raises:
      ConfigError: the config names another family, and no other run.
    """
    name = config.family
    others = [s for s in config.values() if isinstance(s, ConfigDict) and s.get("workdir")]
    own = None if name in names() else _own.find(name)
    if not others and (own is None or own.path.stem != Path(recipe).stem):
        raise ConfigError(f"{message}: is not needed; config.family={name} is none of it")


def add(path: Path, module: ModuleType, source: str) -> None:
    """Adds a family of one's own whose `module` was executed already, from its `source` text."""
    _own.add(path, module, source)


def keep(name: str, workdir: Path) -> None:
    """Writes the source text of a family of one's own into a run's folder, for the reader.

    Nothing is ever executed from there. It warns where the run was begun with another text.
    """
    if name not in names():
        _own.keep(name, workdir)


def changed(name: str, workdir: Path) -> bool:
    """Says whether a family of one's own is another program than trained the run in `workdir`."""
    return name not in names() and _own.changed(name, workdir)


def flags(name: str) -> list[str]:
    """Returns what a command line needs beside the folder of a run: of one's own a `--recipe`."""
    own = None if name in names() else _own.find(name)
    return [f"--recipe={own.path}"] if own else []


def _module(name: str) -> ModuleType:
    if name in names():
        return importlib.import_module(f"{__name__}.{name}")
    own = _own.find(name) if isinstance(name, str) else None
    if own is not None:
        return own.module
    known = ", ".join(names())
    raise ConfigError(
        f"config.family={files.shown(name)}: must be one of {known}; a family of one's own needs "
        "its file: --recipe=FILE.py"
    )
