"""The README is true: its family trains, its loss has a gradient, its commands are accepted."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from absl import flags

from genjax import recipes
from genjax.engine.writers import read_metrics

_ROOT = Path(__file__).resolve().parent.parent
_README = (_ROOT / "README.md").read_text()
_BLOCKS = re.findall(r"```(python|bash)\n(.*?)```", _README, re.DOTALL)


def _block(mark: str) -> str:
    (found,) = [text for _, text in _BLOCKS if mark in text]
    return found


def _commands(program: str) -> list[list[str]]:
    text = "\n".join(t for kind, t in _BLOCKS if kind == "bash").replace("\\\n", " ")
    text += "\n".join(re.findall(r"`(python -m experiments[^`]*)`", _README))
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [line[3:] for line in lines if line[:3] == ["python", "-m", f"experiments.{program}"]]


def _run(folder: Path, program: str, *args: str) -> str:
    env = os.environ | {"PYTHONPATH": f"{folder}:{_ROOT}"}
    command = [sys.executable, "-m", f"experiments.{program}", *args]
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_family_of_ones_own_trains_evaluates_and_samples(tmp_path):
    source = _block("def build(")
    assert len(source.splitlines()) < 60
    (tmp_path / "my_vae.py").write_text(source)
    _run(
        tmp_path, "train", "--config=my_vae.py", "--workdir=vae",
        "--config.steps=300", "--config.log_every=100",
    )  # fmt: skip
    rows = [r for r in read_metrics(tmp_path / "vae" / "metrics.jsonl") if "train/loss" in r]
    assert [r["step"] for r in rows] == [100, 200, 300]
    assert rows[-1]["train/loss"] < 0.9 * rows[0]["train/loss"]
    assert "kl" in _run(tmp_path, "evaluate", "--workdir=vae", "--recipe=my_vae.py")
    _run(tmp_path, "sample", "--workdir=vae", "--recipe=my_vae.py", "--n=4", "--out=grid.png")
    assert (tmp_path / "grid.png").stat().st_size > 100


def test_the_loss_with_a_critic_of_ones_own_has_a_gradient():
    def my_critic(params, x):
        return jnp.tanh(x @ params).sum(-1)

    names = {"my_critic": my_critic}
    exec(_block("def critic_loss"), names)
    params, real = jnp.full((3, 2), 0.1), jnp.ones((4, 3))
    gradient = names["gradient"](params, real, -real, jax.random.key(0))
    assert gradient.shape == params.shape
    assert jnp.isfinite(gradient).all() and jnp.abs(gradient).max() > 0


@pytest.mark.parametrize("args", _commands("train") + _commands("sweep"), ids=" ".join)
def test_commands_name_recipes_and_fields_that_exist(args, monkeypatch):
    monkeypatch.chdir(_ROOT)
    (spec,) = [a.removeprefix("--config=") for a in args if a.startswith("--config=")]
    if spec != "my_vae.py":  # the test above runs it
        overrides = [a for a in args if a.startswith("--config.")]
        recipes.override(recipes.load(spec), overrides, flags.FlagValues())


def test_every_recipe_is_in_the_table():
    rows = [line for line in _README.splitlines() if line.startswith("| `")]
    named = {name for line in rows for name in re.findall(r"`(\w+)[:`]", line.split("|")[1])}
    assert named == {path.stem for path in (_ROOT / "configs").glob("[!_]*.py")}


def test_the_distribution_is_not_called_as_another_project_is():
    name = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["name"]
    assert name != "genjax"  # MIT's, on PyPI
    assert f"`{name}`" in _README
    pattern = r"pip install .?genjax(\[|$|[ `'\"])"
    command = ["git", "grep", "-lE", pattern, "--", ":!tests"]
    listed = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert (listed.returncode, listed.stdout) == (1, "")
