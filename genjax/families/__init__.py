"""Model families, one module each; a new one is found by its file name."""

import importlib
import pkgutil
from types import ModuleType
from typing import Any

from ml_collections import ConfigDict

from genjax.core.axis import BatchAxis
from genjax.core.config import fail
from genjax.core.family import DataSpec, Family


def names() -> list[str]:
    """The families there are: the modules of this package."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def build(
    config: ConfigDict, spec: DataSpec, total_steps: int, axis: BatchAxis = BatchAxis()
) -> Family:
    """The family that `config.family` names.

    That is a module of this package, or any other module that can be imported and has a `build`
    of this signature: a family of one's own.

    Raises:
      ConfigError: no such family, or a field of its config is out of range.
    """
    return _module(config.family).build(config, spec, total_steps, axis)


def default_config(name: str) -> ConfigDict:
    """Every field of the family `name` with its default; empty where its module does not say.

    Raises:
      ConfigError: no such family.
    """
    module = _module(name)
    return module.default_config() if hasattr(module, "default_config") else ConfigDict()


def adopt(config: ConfigDict, other: ConfigDict) -> dict[str, Any]:
    """The fields of `config`, by dotted names, that the run of `other` decides.

    That is where the networks of `config.pretrained` are taken over from it. Such a family's module
    has an `adopt` of this signature.

    Args:
      config: of the run that begins, with the section `pretrained`.
      other: of the run that its networks come from.

    Raises:
      ConfigError: networks of such a run cannot be taken over.
    """
    module = _module(config.family)
    if not hasattr(module, "adopt"):
        told = f"the family {config.family} takes over no networks; must be empty"
        raise fail("pretrained.workdir", config.pretrained.workdir, told)
    found: dict[str, Any] = module.adopt(config, other)
    return found


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}") if name in names() else _foreign(name)


def _foreign(name: str) -> ModuleType:
    allowed = f"must be one of {', '.join(names())}, or a module on the path with a function build"
    if not name:
        raise fail("family", name, allowed)
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is there; what it imports is not
        raise fail("family", name, allowed) from error
    if not callable(getattr(module, "build", None)):
        raise fail("family", name, allowed)
    return module
