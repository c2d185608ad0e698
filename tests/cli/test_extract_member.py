"""`extract_member`: a member of a population as a run that is evaluated, sampled and resumed."""

import json
from pathlib import Path

import numpy as np
import pytest

import genjax
from genjax.engine.writers import read_metrics
from tests.cli.helpers import TINY, checkpoints, leaves, main

LENGTH = ("--config.steps=6", "--config.log_every=4", "--config.checkpoint_every=3")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds, two learning rates, and a weight decay that is 0 for half of the members."""
    workdir = tmp_path_factory.mktemp("swept") / "sweep"
    args = [*TINY, *LENGTH, f"--workdir={workdir}", "--seeds=3"]
    args += ["--grid=optimizer.learning_rate=1e-2,1e-3", "--grid=optimizer.weight_decay=0,10"]
    assert main("sweep", *args) == 0
    return workdir


def test_a_sweep_s_best_goes_on_as_the_population_does(
    sweep: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    rows = json.loads((sweep / "sweep.json").read_text())["members"]
    metric = next(n for n in ("eval/reconstruction", "eval/mse") if n in rows[0])
    best = min(rows, key=lambda row: row[metric])
    capfd.readouterr()
    out = tmp_path / "best"
    assert main("extract_member", f"--workdir={sweep}", "--best", f"--out={out}") == 0
    assert f"member {best['member']} of the sweep" in capfd.readouterr().out
    config = json.loads((out / "config.json").read_text())
    assert (config["config"]["executor"], config["config"]["seed"]) == ("scan", best["seed"])
    for name in ("learning_rate", "weight_decay"):
        assert config["config"]["optimizer"][name] == best[f"optimizer.{name}"]
    assert config["started_from"]["member"] == best["group_member"]
    assert checkpoints(out) == checkpoints(sweep / "group_0")
    model, population = genjax.load(out), genjax.load(sweep / "group_0")
    for name, x in population.evaluate().items():
        value = x[best["group_member"]]
        np.testing.assert_allclose(model.evaluate()[name], value, rtol=1e-5)
    np.testing.assert_allclose(
        model.sample(3), population.sample(3)[best["group_member"]], atol=1e-5
    )
    written = read_metrics(out / "metrics.jsonl")
    assert written[-1][metric] == best[metric]


@pytest.mark.parametrize("member", [0, 4])  # without weight decay, and with it
def test_a_member_resumes_as_the_single_run_that_it_is(
    member: int, sweep: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    row = json.loads((sweep / "sweep.json").read_text())["members"][member]
    out, single = tmp_path / "one", tmp_path / "single"
    args = [f"--workdir={sweep}", f"--member={member}", f"--out={out}"]
    assert main("extract_member", *args) == 0
    again = [f"--config={out / 'config.json'}", "--config.steps=10"]
    assert main("train", *again, f"--workdir={out}") == 0, capfd.readouterr().err
    fields = ("seed", "optimizer.learning_rate", "optimizer.weight_decay")
    values = [f"--config.{name}={row[name]}" for name in fields]
    more = [*TINY, *LENGTH, "--config.steps=10", *values]
    assert main("train", *more, f"--workdir={single}") == 0
    found, expected = leaves(out), leaves(single)
    assert found.keys() == expected.keys()
    for name, x in expected.items():
        np.testing.assert_allclose(found[name], x, rtol=1e-3, atol=1e-5, err_msg=name)
    last = [read_metrics(p / "metrics.jsonl")[-1] | {"wall_seconds": 0} for p in (out, single)]
    assert last[0] == pytest.approx(last[1], rel=1e-4)
    assert main("extract_member", *args) == 2
    assert "holds a run already" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--best"], "--out: missing"),
        (["--out=x"], "--member: missing"),
        (["--out=x", "--best", "--member=1"], "--member=1: not beside --best"),
        (["--out=x", "--member=99"], "--member=99: must be below"),
    ],
)
def test_mistakes_are_told_in_a_line(
    args: list[str], message: str, sweep: Path, tmp_path: Path, capfd: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    capfd.readouterr()
    assert main("extract_member", f"--workdir={sweep}", *args) == 2
    assert message in capfd.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_sweep_s_folder_is_not_the_member_s(sweep: Path, capfd: pytest.CaptureFixture) -> None:
    args = [f"--workdir={sweep}", "--member=0", f"--out={sweep}"]
    assert main("extract_member", *args) == 2
    assert f"--out={sweep}: holds a sweep; choose another folder" in capfd.readouterr().err
    assert not (sweep / "config.json").exists()


def test_a_single_run_has_no_members(
    trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    args = [f"--workdir={trained}", "--member=0", f"--out={tmp_path / 'new'}"]
    capfd.readouterr()
    assert main("extract_member", *args) == 2
    assert "is a single run; must be a population or a sweep" in capfd.readouterr().err
