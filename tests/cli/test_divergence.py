"""Runs that diverge: what they say, what they leave, and how they go on."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from genjax.engine.writers import read_metrics
from tests.cli.helpers import TINY, checkpoints, leaves, main

# Plain gradient descent on the weights' own norm, with three times too large a step: they grow
# threefold each step, and overflow after some dozens.
GROWING = (
    *TINY,
    "--config.optimizer.name=sgd",
    "--config.optimizer.b1=0",
    "--config.optimizer.learning_rate=1",
    "--config.loss.l2=2",
    "--config.steps=200",
    "--config.log_every=5",
    "--config.checkpoint_every=5",
)


def _advised(err: str) -> list[str]:
    """The arguments of the command that standard error ends with."""
    words = shlex.split(err.strip().splitlines()[-1])
    assert words[:3] == ["python", "-m", "experiments.train"]
    return words[3:]


@pytest.mark.slow
def test_a_diverged_run_goes_on_from_its_last_good_checkpoint_with_the_rate_advised(
    tmp_path: Path, capfd: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
) -> None:
    workdir = tmp_path / "run"
    assert main("train", *GROWING, f"--workdir={workdir}") == 3
    err = capfd.readouterr().err
    step = checkpoints(workdir)[-1]
    line = err.strip().splitlines()[-2]
    assert "diverged" in line and str(workdir / "checkpoints" / str(step)) in line
    values = leaves(workdir, step).values()
    assert all(np.isfinite(x).all() for x in values if x.dtype.kind == "f")

    assert main("train", *GROWING, f"--workdir={workdir}", "--config.optimizer.b1=0.5") == 2
    assert "config.optimizer.b1 is 0.0 there" in capfd.readouterr().err
    lower = _advised(err)
    assert main("train", *lower) == 0
    assert f"Resumed from step {step}; it had diverged" in caplog.text
    assert "optimizer.learning_rate=0.001 (was 1.0)" in caplog.text
    # It was under way by then: the run goes on from an earlier state, and nothing is deleted.
    assert "It diverges from there as well: back to the start" in caplog.text
    assert (workdir / "checkpoints" / f"{step}.diverged").is_dir()
    assert checkpoints(workdir)[-1] == 200
    rate = json.loads((workdir / "config.json").read_text())["config"]["optimizer"]["learning_rate"]
    assert leaves(workdir)[".opt_state['optimizer'].hyperparams['learning_rate']"] == np.float32(
        rate
    )

    # Once it is through, it is a run like any other.
    assert main("train", *lower, "--config.optimizer.learning_rate=0.5") == 2
    assert "holds a run of another config" in capfd.readouterr().err


def test_the_rate_advised_takes_the_place_of_one_in_two_words(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    args = ["--config.optimizer.learning_rate", "1e30", "--config.steps=20", "--config.log_every=5"]
    assert main("train", *TINY, *args, f"--workdir={tmp_path / 'run'}") == 3
    advised = _advised(capfd.readouterr().err)
    assert "1e30" not in advised and "--config.optimizer.learning_rate=0.001" in advised


def test_a_run_that_diverged_at_once_begins_again_with_the_rate_advised(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    huge = "--config.optimizer.learning_rate=1e30"
    args = [*TINY, "--config.steps=40", "--config.log_every=10", huge]
    assert main("train", *args, f"--workdir={tmp_path / 'run'}") == 3
    err = capfd.readouterr().err
    assert "no checkpoint yet" in err.strip().splitlines()[-2]
    assert checkpoints(tmp_path / "run") == []
    assert "--config.optimizer.learning_rate=0.001" in _advised(err)
    assert main("train", *_advised(err)) == 0


@pytest.mark.slow
def test_an_interval_that_was_skipped_whole_ends_the_run(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    workdir = tmp_path / "run"
    args = [*GROWING, "--config.on_divergence=skip", "--config.chunk=2"]
    assert main("train", *args, f"--workdir={workdir}") == 3
    err = capfd.readouterr().err
    rows = [r for r in read_metrics(workdir / "metrics.jsonl") if "train/loss" in r]
    shares = [r["train/skipped"] for r in rows]
    assert shares[0] == 0 and shares[-1] == 1 and all(0 <= share <= 1 for share in shares)
    assert np.isnan(rows[-1]["train/loss"])
    last = rows[-1]["step"]
    assert f"no update in steps {last - 4} to {last} was finite" in err
    assert main("train", *_advised(err)) == 0


@pytest.mark.slow
def test_a_run_that_goes_on_from_another_one_ends_where_it_diverges_again(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    sound = "--config.optimizer.learning_rate=0.001"
    first = [*GROWING, sound, "--config.steps=10", f"--workdir={tmp_path / 'first'}"]
    assert main("train", *first) == 0
    start = [f"--config.start.workdir={tmp_path / 'first'}", "--config.start.what=state"]
    args = [*GROWING, *start, "--config.checkpoint_every=0", f"--workdir={tmp_path / 'second'}"]
    for _ in range(2):  # the second time it is known to have diverged there
        assert main("train", *args) == 3
        assert "no checkpoint yet" in capfd.readouterr().err.strip().splitlines()[-2]
