"""Sweeps: trained, resumed, evaluated by setting, and their best member."""

import csv
import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_collections import ConfigDict

import genjax
from genjax.core.config import ConfigError
from genjax.engine.writers import read_metrics
from genjax.evaluation import groups as sweeps
from tests.cli.helpers import TINY, checkpoints, main

FIELDS = ("model.encoder_hidden", "optimizer.learning_rate", "optimizer.weight_decay")


@pytest.mark.slow
def test_sweep_has_one_row_a_member_and_resumes(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """3 seeds, 2 learning rates and a weight decay from 0 in one program; 2 widths in two."""
    workdir = tmp_path / "sweep"
    args = [*TINY, f"--workdir={workdir}", "--seeds=3", "--config.steps=4", "--config.log_every=2"]
    args += ["--grid=optimizer.learning_rate=1e-2,1e-3", "--grid=optimizer.weight_decay=0,10"]
    args += ["--grid=model.encoder_hidden=(8,),(4,4)"]
    assert main("sweep", *args) == 0
    out = capfd.readouterr().out
    assert out.count(" ± ") == 8 * 2 + 1  # settings, metrics; the best setting's
    assert "± standard error over 3 seeds" in out
    rows = list(csv.DictReader((workdir / "sweep.csv").open(newline="")))
    assert len(rows) == 3 * 2 * 2 * 2
    assert len({r["train/loss"] for r in rows}) == len(rows)
    record = json.loads((workdir / "sweep.json").read_text())
    assert [str(m["eval/mse"]) for m in record["members"]] == [r["eval/mse"] for r in rows]

    # A member is the single run with its seed, learning rate and weight decay.
    wanted = {"seed": "1", "optimizer.learning_rate": "0.001", "optimizer.weight_decay": "0.0"}
    row = next(
        r
        for r in rows
        if r["model.encoder_hidden"] == "(8,)" and all(r[k] == v for k, v in wanted.items())
    )
    single = [*TINY, f"--workdir={tmp_path / 'single'}", "--config.steps=4", "--config.log_every=2"]
    assert main("train", *single, "--config.seed=1", "--config.optimizer.learning_rate=1e-3") == 0
    last = read_metrics(tmp_path / "single" / "metrics.jsonl")
    assert float(row["eval/mse"]) == pytest.approx(last[-1]["eval/mse"], rel=1e-4)

    # Again: nothing is trained, and the same is told.
    before = (workdir / "sweep.csv").read_bytes(), checkpoints(workdir / "group_0")
    assert main("sweep", *args) == 0
    assert ((workdir / "sweep.csv").read_bytes(), checkpoints(workdir / "group_0")) == before
    capfd.readouterr()
    assert main("sweep", *args[:-1]) == 2  # another sweep
    assert "holds another sweep" in capfd.readouterr().err

    # The best setting, with commands that work.
    best = _best_setting(rows)
    line, *advised = out.strip().splitlines()[-3:]
    assert line.startswith("Best setting by eval/reconstruction (min): ")
    for field, value in zip(FIELDS, best, strict=True):
        assert f"{field}={value}" in line
    for command in advised:
        words = shlex.split(command)
        assert main(words[2].removeprefix("experiments."), *words[3:]) == 0

    row = rows[int(words[4].removeprefix("--member="))]
    alone = f"eval_member_{row['group_member']}.json"
    alone = json.loads((workdir / f"group_{row['group']}" / alone).read_text())
    assert alone["eval"]["mse"] == pytest.approx(float(row["eval/mse"]), rel=1e-5)

    # Without a member: each setting with its values, and samples of the best member.
    capfd.readouterr()
    assert main("evaluate", f"--workdir={workdir}") == 0
    table = capfd.readouterr().out
    assert table.count(" ± ") == 8 * 2 and "± standard error over 3 seeds" in table
    assert all(any(x.startswith(f"{w}  ") for x in table.splitlines()) for w in ("(8,)", "(4, 4)"))
    evaluated = json.loads((workdir / "eval.json").read_text())["members"]
    assert [m["member"] for m in evaluated] == list(range(24))
    for member, row in zip(evaluated, rows, strict=True):
        assert member["eval/mse"] == pytest.approx(float(row["eval/mse"]), rel=1e-5)

    assert main("sample", f"--workdir={workdir}", "--n=4") == 0
    out, err = capfd.readouterr()
    by = min(rows, key=lambda r: float(r["eval/reconstruction"]))
    assert f"member {by['member']} of the sweep (seed {by['seed']}, " in err
    assert "its eval/reconstruction is the lowest of 24" in err
    assert f"group_{by['group']}/samples" in out and f"_member_{by['group_member']}.png" in out
    assert main("sample", f"--workdir={workdir}", "--member=24") == 2
    assert "--member=24: must be below the number of members of the sweep, 24" in (
        capfd.readouterr().err
    )

    # A group is a run for the other programs.
    assert main("evaluate", f"--workdir={workdir / 'group_1'}") == 0
    table = capfd.readouterr().out
    assert table.count(" ± ") == 4 * 2 and "model.encoder_hidden=(4, 4)" in table
    evaluated = json.loads((workdir / "group_1" / "eval.json").read_text())
    assert len(evaluated["eval"]["mse"]) == 12
    assert evaluated["over_members"]["eval/mse"]["standard_error"] > 0
    group = genjax.load(workdir / "group_1")
    drawn = group.sample(3, seed=5)
    assert not np.array_equal(group.sample(3, seed=2**32 - 1), drawn)
    for seed in (-1, 2**32):
        with pytest.raises(ConfigError, match=f"seed={seed}: must be a whole number in 0 … 429496"):
            group.sample(3, seed=seed)
    np.testing.assert_allclose(group.member(7).sample(3, seed=5), drawn[7], rtol=1e-5)


def test_a_sweep_that_is_not_through_is_told_before_anything_is_evaluated(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    sweep, out = tmp_path / "sweep", tmp_path / "one"
    args = [*TINY, f"--workdir={sweep}", "--seeds=2", "--config.steps=2"]
    assert main("sweep", *args, "--grid=model.latent_dim=2,3") == 0
    shutil.rmtree(sweep / "group_1")
    capfd.readouterr()
    message = f"--workdir={sweep}: the sweep is not through: group_1 has not begun; run its command"
    for program, *more in (
        ("evaluate",),
        ("evaluate", "--member=2"),
        ("sample", "--member=2"),
        ("extract_member", "--member=2", f"--out={out}"),
    ):
        assert main(program, f"--workdir={sweep}", *more) == 2
        said, err = capfd.readouterr()
        assert message in err and not said
    assert not out.exists() and not (sweep / "group_0" / "eval.json").exists()
    assert main("evaluate", f"--workdir={sweep}", "--member=1") == 0
    shutil.copytree(sweep / "group_0", sweep / "group_1")
    shutil.rmtree(sweep / "group_1" / "checkpoints")
    assert main("evaluate", f"--workdir={sweep}") == 2
    assert "group_1 has no complete checkpoint yet; run its" in capfd.readouterr().err


def test_members_and_groups_that_diverged_are_left_out_and_counted() -> None:
    def row(i: int, rate: float, **numbers: float) -> dict[str, Any]:
        return {"member": i, "rate": rate} | {f"eval/{n}": v for n, v in numbers.items()}

    rows = [row(0, 9.0), row(1, 9.0)]  # without a number: they diverged at once
    rows += [row(2, 0.1, elbo=-4.0), row(3, 0.1, elbo=-2.0), row(4, 0.1, elbo=float("nan"))]
    rows += [row(5, 0.2, elbo=-1.0), row(6, 0.2, elbo=-9.0)]
    assert sweeps.table(rows, ["rate"]).splitlines() == [
        "rate  members         eval/elbo",
        "9.0   0 (2 diverged)  nan",
        "0.1   2 (1 diverged)  -3 ± 1",
        "0.2   2               -5 ± 4",
        "± standard error over 2 seeds",
    ]
    metric, mode = sweeps.criterion(ConfigDict(), sweeps.names(rows))
    assert (metric, mode) == ("eval/elbo", "max")
    best = sweeps.best(rows, metric, mode)
    setting = sweeps.best_setting(rows, ["rate"], metric, mode)
    assert best is not None and best["member"] == 5
    assert setting is not None and (setting[0]["member"], setting[1].mean) == (3, -3)


def _best_setting(rows: list[dict[str, str]]) -> tuple[str, ...]:
    each: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        each.setdefault(tuple(row[f] for f in FIELDS), []).append(float(row["eval/reconstruction"]))
    return min(each, key=lambda setting: np.mean(each[setting]))
