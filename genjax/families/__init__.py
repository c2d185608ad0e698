"""Model families, one module each; a new one is found by its file name."""

import importlib
import pkgutil

from ml_collections import ConfigDict

from genjax.core.axis import BatchAxis
from genjax.core.config import choose
from genjax.core.family import DataSpec, Family


def names() -> list[str]:
    """The families there are: the modules of this package."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


def build(
    config: ConfigDict, spec: DataSpec, total_steps: int, axis: BatchAxis = BatchAxis()
) -> Family:
    """The family that `config.family` names.

    Raises:
      ConfigError: no such family, or a field of its config is out of range.
    """
    choose("family", config.family, names())
    module = importlib.import_module(f"{__name__}.{config.family}")
    return module.build(config, spec, total_steps, axis)
