"""A family of one's own comes from the file that the user names, and from nowhere else."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import genjax
from genjax import families, recipes
from genjax.core.config import ConfigError
from genjax.families import _own
from tests.cli.helpers import ROOT, main

MINE = """
from pathlib import Path
from genjax.core.config import base
from genjax.families import autoencoder
from beside import LATENT

def get_config():
    c = autoencoder.default_config()
    c.family, c.steps, c.batch_size, c.num_samples = "mine", 4, 16, 4
    c.model.encoder_hidden, c.model.decoder_hidden, c.model.latent_dim = (8,), (8,), LATENT
    return c

def build(config, spec, total_steps):
    return autoencoder.build(config, spec, total_steps)
"""


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """Each test has a process's own memory of the files that were named."""
    monkeypatch.setattr(_own, "_NAMED", {})
    yield
    sys.modules.pop("beside", None)


def write(folder):
    folder.mkdir()
    (folder / "beside.py").write_text("LATENT = 2\n")
    (folder / "mine.py").write_text(MINE)
    return folder / "mine.py"


@pytest.fixture
def recipe(tmp_path):
    return write(tmp_path / "recipes")


@pytest.fixture(scope="session")
def _mine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mine")
    workdir = folder / "run"
    flags = [f"--config={write(folder / 'recipes')}", f"--workdir={workdir}"]
    assert main("train", *flags) == 0
    _own._NAMED.clear()
    return workdir


@pytest.fixture
def mine(_mine, tmp_path):
    """A run of it."""
    return shutil.copytree(_mine, tmp_path / "run")


def said(capfd):
    (line,) = [x for x in capfd.readouterr().err.splitlines() if x.startswith("genjax: ")]
    assert len(line) < 400
    return line


def test_it_trains_resumes_and_is_used_from_any_folder(mine, recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    assert (mine / "recipe.py.txt").read_text() == MINE
    longer = "--config.steps=6"
    assert main("train", f"--config={recipe}", f"--workdir={mine}", longer) == 0
    assert not (mine / "recipe.before.py.txt").exists()
    _own._NAMED.clear()
    assert main("evaluate", f"--workdir={mine}", f"--recipe={recipe}") == 0
    _own._NAMED.clear()
    record = f"--config={mine / 'config.json'}"
    assert main("train", record, f"--workdir={mine}", f"--recipe={recipe}") == 0
    _own._NAMED.clear()
    assert genjax.load(mine, recipe=recipe).encode(np.zeros((1, 8, 8, 1))).shape == (1, 2)


def test_without_its_file_it_is_refused_and_nothing_runs(mine, recipe, capfd, monkeypatch):
    monkeypatch.chdir(recipe.parent)
    monkeypatch.syspath_prepend(str(recipe.parent))
    before = {p: p.stat().st_mtime_ns for p in mine.rglob("*")}
    capfd.readouterr()
    for program, more in (
        ("evaluate", ""),
        ("sample", ""),
        ("latent", ""),
        ("ngrams", ""),
        ("to_hugging_face", "--out=hf"),
        ("train", "--config"),
    ):
        flag = f"--config={mine / 'config.json'}" if more == "--config" else more
        flags = [f"--workdir={mine}", *([flag] if flag else [])]
        assert main(program, *flags) == 2, program
        line = said(capfd)
        assert "config.family='mine'" in line and "--recipe=FILE.py" in line
    with pytest.raises(ConfigError, match="recipe="):
        genjax.load(mine)
    assert {p: p.stat().st_mtime_ns for p in mine.rglob("*")} == before


@pytest.mark.parametrize("name", ["runs.dl.evil", "evil", "os", "genjax.cli.train", "..evil"])
def test_a_name_in_a_downloaded_config_imports_nothing(name, mine, tmp_path, monkeypatch):
    folder = tmp_path / "runs" / "dl"
    folder.mkdir(parents=True)
    marker = tmp_path / "executed"
    evil = f"open({str(marker)!r}, 'w')\ndef build(*args): pass\n"
    for place in (folder, tmp_path):
        (place / "evil.py").write_text(evil)
    record = json.loads((mine / "config.json").read_text())
    record["config"]["family"] = name
    (mine / "config.json").write_text(json.dumps(record))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for load in (lambda: genjax.load(mine), lambda: recipes.load(str(mine / "config.json"))):
        with pytest.raises(ConfigError, match=r"config.family='.*recipe=FILE.py"):
            load()
    assert not marker.exists()
    assert not any(n.endswith("evil") for n in sys.modules)


def test_a_file_is_refused_that_the_config_has_no_use_for(mine, recipe):
    record = mine / "config.json"
    record.write_text(record.read_text().replace('"family": "mine"', '"family": "autoencoder"'))
    with pytest.raises(ConfigError, match=r"recipe=.*: is not needed; config.family=autoencoder "):
        genjax.load(mine, recipe=recipe)
    config = families.default_config("classifier")
    config.start.workdir = "a run of it"
    families.check_needed(recipe, config, "--recipe")  # that run may need it
    config.start.workdir, config.family = "", "mine"
    families.check_needed(recipe, config, "--recipe")


def test_another_text_than_the_runs_is_told_once_and_both_are_kept(mine, recipe, caplog):
    recipe.write_text(MINE + "# another\n")
    model = genjax.load(mine, recipe=recipe)
    assert "trained by another program" in caplog.text and model.step == 4
    again = ("train", f"--config={recipe}", f"--workdir={mine}", "--config.steps=6")
    assert main(*again) == 0
    assert "mine.py is another program than the one" in caplog.text
    assert (mine / "recipe.py.txt").read_text() == MINE + "# another\n"
    assert (mine / "recipe.before.py.txt").read_text() == MINE
    caplog.clear()
    assert main(*again) == 0
    assert "another program" not in caplog.text


def test_the_folder_of_a_recipe_is_on_the_path_only_while_it_runs(recipe):
    (recipe.parent / "numpy.py").write_text("raise SystemExit('not the real one')\n")
    before = list(sys.path)
    recipes.load(str(recipe))
    assert sys.path == before


@pytest.mark.parametrize(
    ("stem", "family", "message"),
    [
        ("mine", "others", "config.family='others': mine.py has a family of its own"),
        ("vae", "vae", "config.family='vae': vae.py has a family of its own"),
    ],
)
def test_a_family_is_called_like_its_file_and_not_like_one_of_ours(stem, family, message, recipe):
    path = recipe.with_name(f"{stem}.py")
    path.write_text(MINE.replace('"mine"', repr(family)))
    with pytest.raises(ConfigError) as error:
        recipes.load(str(path))
    assert str(error.value).startswith(message)
    assert not _own._NAMED


def test_a_recipe_with_a_function_build_may_use_a_family_of_ours(recipe):
    recipe.write_text(MINE.replace('"mine"', '"autoencoder"'))
    assert recipes.load(str(recipe)).family == "autoencoder"
    assert families.flags("autoencoder") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("x = 1\n", "has no function build"),
        ("x = (\n", "line 1: SyntaxError"),
        ("import sys\nsys.exit(3)\n", "line 2: SystemExit: 3"),
        ("x = '\0'\n", "null bytes"),
    ],
)
def test_a_file_that_is_no_family_is_told_in_one_line(text, message, mine, tmp_path, capfd):
    path = tmp_path / "broken.py"
    if text is not None:
        path.write_text(text)
    capfd.readouterr()
    assert main("evaluate", f"--workdir={mine}", f"--recipe={path}") == 2
    line = said(capfd)
    assert f"--recipe={path}: " in line and message in line


def test_a_sweep_of_it_is_used_with_its_file(recipe, tmp_path):
    workdir = tmp_path / "sweep"
    assert main("sweep", f"--config={recipe}", f"--workdir={workdir}", "--seeds=2") == 0
    _own._NAMED.clear()
    model = genjax.load(workdir / "group_0", recipe=recipe)
    assert model.num_members == 2
    assert (workdir / "group_0" / "recipe.py.txt").read_text() == MINE


@pytest.mark.slow
def test_the_console_script_trains_it_from_another_folder(recipe, tmp_path):
    code = "import sys; sys.argv[0] = 'genjax-train'; from genjax.cli.train import main; "
    code += "sys.exit(main())"
    flags = [f"--config={recipe}", f"--workdir={tmp_path / 'run'}"]
    done = subprocess.run(
        [sys.executable, "-P", "-c", code, *flags],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    advised = [line for line in done.stdout.splitlines() if "genjax-" in line]
    message = f"--workdir={tmp_path / 'run'} --recipe={Path(recipe)}"
    assert advised and all(message in line for line in advised)
