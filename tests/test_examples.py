"""The examples run, do what they say, and stay short."""

import runpy
import sys

import pytest

from genjax.engine.writers import read_metrics
from tests.cli.helpers import ROOT, main, out_of

EXAMPLES = ROOT / "examples"


@pytest.fixture
def run(monkeypatch):
    """Runs an example as `python examples/NAME ARGS` does, in this process."""

    def run(name, *args):
        monkeypatch.setattr(sys, "argv", [name, *map(str, args)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")

    return run


def test_each_has_at_most_60_lines():
    lengths = {p.name: len(p.read_text().splitlines()) for p in EXAMPLES.glob("*.py")}
    assert lengths.keys() == {"load_and_decode.py", "own_critic.py", "own_vae.py"}
    assert max(lengths.values()) <= 60, lengths


def test_own_critic_learns_the_distance(run, capsys):
    run("own_critic.py", "--steps=200")
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("step 200: distance ")
    assert abs(float(last.split()[3].rstrip(",")) - 3) < 0.5


def test_own_vae_trains_evaluates_and_samples(tmp_path, capfd):
    recipe, workdir = EXAMPLES / "own_vae.py", f"--workdir={tmp_path / 'vae'}"
    length = ("--config.steps=300", "--config.log_every=100")
    assert main("train", f"--config={recipe}", workdir, *length) == 0
    rows = [r for r in read_metrics(tmp_path / "vae" / "metrics.jsonl") if "train/loss" in r]
    assert [r["step"] for r in rows] == [100, 200, 300]
    assert rows[-1]["train/loss"] < 0.9 * rows[0]["train/loss"]
    assert "eval/kl" in out_of(capfd, "evaluate", workdir, f"--recipe={recipe}")
    picture = tmp_path / "grid.png"
    assert main("sample", workdir, f"--recipe={recipe}", "--n=4", f"--out={picture}") == 0
    assert picture.stat().st_size > 100


@pytest.mark.parametrize("executor", ["vmap", "pmap"])
def test_own_vae_runs_in_any_way(executor, tmp_path):
    how = [f"--config.executor={executor}", "--config.steps=4"]
    how += ["--config.num_seeds=2"] if executor == "vmap" else ["--config.accumulate_steps=2"]
    assert main("train", f"--config={EXAMPLES / 'own_vae.py'}", f"--workdir={tmp_path}", *how) == 0


def test_load_and_decode_draws_a_picture_of_a_run(run, tmp_path, capsys):
    from PIL import Image

    tiny = ["--config.epochs=0", "--config.steps=20", "--config.model.latent_dim=2"]
    tiny += ["--config.model.encoder_hidden=(8,)", "--config.model.decoder_hidden=(8,)"]
    workdir, out = tmp_path / "vae", tmp_path / "between.png"
    assert main("train", f"--config={ROOT}/configs/vae.py", f"--workdir={workdir}", *tiny) == 0
    run("load_and_decode.py", f"--workdir={workdir}", f"--out={out}", "--rows=2", "--columns=3")
    assert "squared error of reconstructions" in capsys.readouterr().out
    assert Image.open(out).width > Image.open(out).height  # two rows of five
