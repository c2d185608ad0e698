"""README is true: its family is the one that is trained, its loss has a gradient."""

import ast
import re
import subprocess
import tomllib

import jax.numpy as jnp

from genjax import families
from tests import papers

_TEXT = papers.README.read_text()


def _python(mark: str) -> str:
    (found,) = [text for text in papers.blocks(_TEXT, "python") if mark in text]
    return found


def _named(text: str) -> set[str]:
    """What the first cells of tables name."""
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    return {name for line in rows for name in re.findall(r"`(\w+)[:`]", line.split("|")[1])}


def test_it_is_short():
    assert len(_TEXT.splitlines()) <= 200


def test_the_family_of_ones_own_is_the_example_that_is_trained():
    source, example = _python("def build("), papers.ROOT / "examples" / "own_vae.py"
    assert len(source.splitlines()) <= 55
    # Laid out by hand here, as ruff does there.
    assert ast.dump(ast.parse(source)) == ast.dump(ast.parse(example.read_text()))


def test_the_loss_with_a_critic_of_ones_own_has_a_gradient():
    def my_critic(params, x):
        return jnp.tanh(x @ params).sum(-1)

    names = {"my_critic": my_critic}
    exec(_python("def critic_loss"), names)
    params, real = jnp.full((3, 2), 0.1), jnp.ones((4, 3))
    gradient = names["gradient"](params, real, -real, jnp.full(4, 0.4))
    assert gradient.shape == params.shape
    assert jnp.isfinite(gradient).all() and jnp.abs(gradient).max() > 0


def test_every_family_is_in_its_table_and_every_recipe_in_that_of_docs():
    assert set(families.names()) <= _named(_TEXT)
    recipes = {path.stem for path in (papers.ROOT / "configs").glob("[!_]*.py")}
    assert _named((papers.ROOT / "docs" / "recipes.md").read_text()) == recipes


def test_the_distribution_is_not_called_as_another_project_is():
    project = tomllib.loads((papers.ROOT / "pyproject.toml").read_text())["project"]
    assert project["name"] != "genjax"  # MIT's, on PyPI
    assert f"`{project['name']}`" in _TEXT
    pattern = r"pip install .?genjax(\[|$|[ `'\"])"
    command = ["git", "grep", "-lE", pattern, "--", ":!tests"]
    listed = subprocess.run(command, cwd=papers.ROOT, capture_output=True, text=True, check=False)
    assert (listed.returncode, listed.stdout) == (1, "")
