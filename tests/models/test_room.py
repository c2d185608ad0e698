"""The room of the networks: Flax modules that know neither losses nor configs."""

import importlib
from pathlib import Path

import pytest
from flax import linen as nn

from genjax import models

MODULES = sorted(p for p in Path(models.__file__).parent.glob("*.py") if p.stem != "__init__")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_file_holds_modules_and_knows_no_config(path):
    module = importlib.import_module(f"genjax.models.{path.stem}")
    own = [c for c in vars(module).values() if getattr(c, "__module__", "") == module.__name__]
    assert any(isinstance(c, type) and issubclass(c, nn.Module) for c in own)
    for word in ("ConfigError", "core.config", "genjax.losses"):
        assert word not in path.read_text()
