"""The package of losses as a whole: what it exports, what it knows, what its docstrings show."""

import ast
import doctest
import importlib
import inspect
from pathlib import Path

import jax
import pytest

from genjax import losses

MODULES = sorted(p for p in Path(losses.__file__).parent.glob("*.py") if p.stem != "__init__")


def defined(path: Path) -> set[str]:
    """Names that a module defines at its top, without imports and private ones."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign):
            found |= {t.id for t in node.targets if isinstance(t, ast.Name)}
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
    return {name for name in found if not name.startswith("_")}


def test_all_losses_are_exported() -> None:
    assert set(losses.__all__) == set().union(*map(defined, MODULES))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_losses_draw_nothing_and_know_no_device(path: Path) -> None:
    for word in ("jax.random", "core.random", "core.batch", "backend", "devices"):
        assert word not in path.read_text()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_every_loss_shows_a_value_that_is_right(path: Path) -> None:
    module = importlib.import_module(f"genjax.losses.{path.stem}")
    with jax.enable_x64(False):
        assert doctest.testmod(module).failed == 0
    for name in defined(path):
        if inspect.isfunction(getattr(module, name)):
            assert ">>> " in getattr(module, name).__doc__, name
