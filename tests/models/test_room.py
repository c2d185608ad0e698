"""The room of the networks: Flax modules, which know neither losses nor configs."""

from pathlib import Path

import pytest

from genjax import models

MODULES = sorted(p for p in Path(models.__file__).parent.glob("*.py") if p.stem != "__init__")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_file_is_of_modules_and_knows_no_config(path):
    text = path.read_text()
    assert "from flax import linen" in text
    for word in ("ConfigError", "core.config", "core.errors", "genjax.losses"):
        assert word not in text
