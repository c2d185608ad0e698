"""The check of a lent GPU, rehearsed where there is none."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from benchmarks.gpu import __main__ as check
from benchmarks.gpu import correctness, measuring, report
from benchmarks.gpu.row import Row
from benchmarks.gpu.rows import FAMILIES, all_rows
from benchmarks.harness import training
from benchmarks.harness.sides import ROOT, Side
from genjax import families
from genjax.ops import platform

# One row of each kind; the others differ in what they train.
_REHEARSED = (
    "facts", "ceilings_jax", "ops", "family_vae", "bits_none", "kernels_wgan_gp", "loops_wgan_gp",
    "vae", "word2vec",
)  # fmt: skip
# What families, the engine or the rows `loops_*` choose, and no operation alone; of attention in
# blocks only scores of a size that no check has time for.
_WITHOUT_OPS = {
    "convolutional passes", "loops over steps", "keys of steps", "metrics of steps", "recurrence",
    "binary search", "scores",
}  # fmt: skip


def _side(name, **arguments):
    return Side(name, f"tests.benchmarks.sides:{name}", arguments)


def _row(name, *sides, unit=""):
    return Row(name, "a test", sides, 30.0, unit)


def test_every_family_and_every_choice_of_a_platform_has_a_row():
    assert set(FAMILIES) == set(families.names())
    tested = {name.split("/")[0] for name in correctness.OPS}
    assert set(platform._LOWERINGS) - _WITHOUT_OPS <= tested


def test_a_row_that_fails_is_a_line_and_the_next_is_made(tmp_path, monkeypatch, capsys):
    rows = {n: _row(n, _side(n)) for n in ("broken", "own_clock", "dying")}
    monkeypatch.setattr(check, "all_rows", lambda *_: rows)
    assert check.main([f"--out={tmp_path}"]) == 1
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["broken"]["error"].splitlines() == [found["broken"]["error"]]
    assert "no luck" in found["broken"]["error"] and "last words" in found["dying"]["error"]
    assert found["own_clock"]["result"] == 12.5
    capsys.readouterr()
    assert check.main([f"--out={tmp_path}"]) == 0  # all are there: nothing is made
    assert not capsys.readouterr().out


def test_a_row_that_the_time_of_all_ends_is_left_to_the_next_call(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        check, "all_rows", lambda *_: {"hanging": _row("hanging", _side("hanging"))}
    )
    monkeypatch.setattr(check, "_LEAST_LEFT", 0.0)
    assert check.main([f"--out={tmp_path}", "--budget=2"]) == 0
    assert "still to be made: hanging" in capsys.readouterr().out
    assert not (tmp_path / "results.json").exists()


def test_sides_on_different_devices_are_not_compared():
    ours, theirs = _side("on_device", device="cpu"), _side("on_device", device="a GPU")
    found = measuring.made(_row("two", ours, theirs, unit="runs"), 30.0, rounds=1, least=0.0)
    assert "sides on different devices are not compared" in found["error"]
    found = measuring.made(_row("one", ours, ours, unit="runs"), 30.0, rounds=1, least=0.05)
    assert found["device"] == "cpu" and 0.5 < found["ratio"] < 2


def test_a_record_is_of_one_device(tmp_path, monkeypatch, capsys):
    rows = {n: _row(n, _side("on_device", device=n)) for n in ("a GPU", "another GPU")}
    monkeypatch.setattr(check, "all_rows", lambda *_: rows)
    assert check.main([f"--out={tmp_path}"]) == 1
    assert "another GPU ran on another GPU, the record is of" in capsys.readouterr().err
    assert list(json.loads((tmp_path / "results.json").read_text())) == ["a GPU"]


@pytest.mark.slow
def test_the_check_is_rehearsed_on_the_cpu(tmp_path):
    command = ["bash", "benchmarks/gpu/check.sh", "--device=cpu", "--tiny"]
    command.append(f"--only={','.join((*_REHEARSED, 'ceilings_torch'))}")
    env = {**os.environ, "OUT": str(tmp_path), "PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "results.json").read_text())
    assert set(found) == {*_REHEARSED, "ceilings_torch"}
    if find_spec("torch") is None:
        assert found["ceilings_torch"]["skipped"] == "torch not installed"
        assert all("torch not installed" in note for note in found["vae"]["notes"])
    for result in (found["ops"]["result"], found["family_vae"]["result"]):
        assert all(d["largest"] < report.TOLERANCE for d in result.values()), result
    assert any(d["largest"] > 0 for d in found["ops"]["result"].values())  # two forms, not one
    bits = found["bits_none"]["result"]["wgan_gp"]
    assert bits == {"resumed_differ": [], "repeated_differ": []}
    assert found["vae"]["modes"]["genjax"]["rate"] > 0
    kernels = found["kernels_wgan_gp"]["result"]
    assert kernels["kernels"] > 0 and kernels["foreseen"] > 0
    page = (tmp_path / "RESULTS.md").read_text()
    assert page == report.markdown(found) and page.startswith("# cpu")


def test_a_run_on_an_accelerator_is_whole_chunks():
    config = training.recipe("autoencoder", batch_size=4, log_every=5)
    with platform.traced_for("cuda"):
        timed = training.timed(config, training.images(16, 8), steps=7)
    assert timed.units == 8 and "chunks of 4 steps" in timed.info["settings"]


def test_a_row_counts_the_operations_of_its_model_and_asks_peers_for_its_device():
    row = all_rows("cuda")["gpt2_124m"]
    assert row.flops / row.amount == pytest.approx(0.855e9, rel=0.01)  # notes on accelerators
    assert {side.arguments["device"] for side in row.sides[1:]} == {"cuda"}
