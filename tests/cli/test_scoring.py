"""Scores against the real set: by `evaluate`, and during training with the best state kept."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest

import genjax
from genjax.core.random import sample_key
from genjax.data import source
from genjax.engine.best import BEST, best
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.run import prepare
from genjax.engine.writers import read_metrics
from genjax.evaluation.image import classifier, generative
from genjax.evaluation.shown import hooks
from tests.cli.helpers import TINY, assert_same_bits, finish, main, run, start, wait_until

METRICS = "--metrics=fid,kid,mind,is,prdc"
NAMES = [
    "fid", "kid", "kid_std", "mind", "inception_score", "inception_score_std",
    "precision", "recall", "density", "coverage",
]  # fmt: skip


@pytest.fixture(autouse=True)
def quick_classifier(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """A classifier trained for a moment, and a cache of its own."""
    train = classifier.train_classifier
    monkeypatch.setattr(
        classifier, "train_classifier", lambda *a, **k: train(*a, **k | {"steps": 30})
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def test_scores_are_printed_and_written_with_what_they_hold_for(
    trained: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("evaluate", f"--workdir={trained}", METRICS, "--num_samples=60")
    assert main(*command) == 0
    out = capfd.readouterr().out
    record = json.loads((trained / "eval.json").read_text())
    assert list(record["scores"]) == list(record["scores_hold_for"]) == NAMES
    assert all(np.isfinite(value) for value in record["scores"].values())
    for name in NAMES:
        line = next(x for x in out.splitlines() if x.startswith(f"scores/{name} "))
        assert f"{record['scores'][name]:.4g}" in line
        assert f"({record['scores_hold_for'][name]})" in line
    message = record["scores_hold_for"]["fid"]
    assert (
        message.startswith("60 samples, 1,618 train images, own classifier ") and "8x8" in message
    )

    # Again: nothing is trained or extracted, and the same is said.
    monkeypatch.setattr(classifier, "train_classifier", None)
    assert main(*command) == 0
    assert json.loads((trained / "eval.json").read_text()) == record
    assert main(*command, "--split=test") == 0
    other = json.loads((trained / "eval.json").read_text())
    assert "60 samples, 179 test images" in other["scores_hold_for"]["fid"]
    assert other["scores"]["fid"] != record["scores"]["fid"]
    # Real ones in the place of samples: held-out ones, with --split=test those of training.
    for found, most in ((record, 60), (other, 60)):
        assert found["real_scores"].pop("count") == most
        assert list(found["real_scores"]) == NAMES
        assert found["real_scores"]["fid"] < 0.5 * found["scores"]["fid"]
    assert main(*command, "--num_samples=300") == 0
    assert json.loads((trained / "eval.json").read_text())["real_scores"]["count"] == 179


def test_without_metrics_there_are_no_scores(trained: Path, capfd: pytest.CaptureFixture) -> None:
    assert main("evaluate", f"--workdir={trained}") == 0
    assert "scores" not in capfd.readouterr().out
    assert "scores" not in json.loads((trained / "eval.json").read_text())


def test_a_run_that_knows_nothing_of_scores_is_scored_all_the_same(trained: Path) -> None:
    """A `config.json` of before these fields were."""
    path = trained / "config.json"
    record = json.loads(path.read_text())
    for field in [f for f in record["config"] if f.startswith(("eval_", "best_"))]:
        if field != "eval_every":
            del record["config"][field]
    path.write_text(json.dumps(record))
    assert main("evaluate", f"--workdir={trained}", "--metrics=is", "--num_samples=20") == 0


SCORED = (
    "--config.eval_metrics=fid,prdc",
    "--config.eval_num_samples=40",
    "--config.eval_every=2",
    "--config.best_metric=fid",
)


def test_scores_during_training_and_the_best_state(
    tmp_path: Path, capfd: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
) -> None:
    workdir = tmp_path / "run"
    assert main("train", *TINY, *SCORED, "--config.steps=6", f"--workdir={workdir}") == 0
    out = capfd.readouterr().out
    rows = [r for r in read_metrics(workdir / "metrics.jsonl") if "eval/fid" in r]
    assert [r["step"] for r in rows] == [2, 4, 6]
    assert {"eval/mse", "eval/precision", "eval/coverage"} <= rows[0].keys()
    message = "eval/fid holds for 40 samples, 1,618 train images, own classifier"
    assert caplog.text.count(message) == 1
    found = best(workdir, "fid", "min")
    lowest = min(rows, key=lambda r: r["eval/fid"])
    assert found is not None
    assert (found.step, found.value) == (lowest["step"], lowest["eval/fid"])
    assert f"Best fid: {found.value:.4g} at step {found.step}" in out

    assert genjax.load(workdir, "best").step == found.step
    assert main("evaluate", f"--workdir={workdir}", "--step=best") == 0
    assert json.loads((workdir / "eval.json").read_text())["step"] == found.step
    assert main("sample", f"--workdir={workdir}", "--step=best", "--n=4") == 0
    assert list((workdir / "samples").glob(f"step_{found.step:07d}_seed_0.png"))


def test_classes_are_as_frequent_in_scores_during_training_as_in_the_split() -> None:
    config = genjax.recipe("conditional_vae", eval_metrics="fid", eval_num_samples=60)
    run = prepare(config)
    labels = hooks(run).labels()
    shares = np.bincount(source.labels(run.dataset.train), minlength=10) / 1618
    assert labels is not None and labels.shape == (60,)
    assert np.abs(np.bincount(labels, minlength=10) - 60 * shares).max() <= 1
    state = run.executor.init()
    some = np.full(4, 7, np.int32)
    drawn = run.executor.sample(state, 4, some)
    noise = run.family.latents(state, sample_key(state), 4)
    expected = run.family.decode(state, noise, some)
    np.testing.assert_allclose(drawn, expected, rtol=1e-5, atol=1e-6)
    assert hooks(prepare(genjax.recipe("vae", eval_metrics="fid"))).labels() is None


@pytest.mark.slow
def test_members_of_a_population_are_scored_each(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    workdir = tmp_path / "run"
    population = ("--config.executor=vmap", "--config.num_seeds=2", "--config.steps=2")
    assert main("train", *TINY, *SCORED, *population, f"--workdir={workdir}") == 0
    (row,) = [r for r in read_metrics(workdir / "metrics.jsonl") if "eval/fid" in r]
    assert len(row["eval/fid"]) == 2 and row["eval/fid"][0] != row["eval/fid"][1]
    kept = best(workdir, "fid", "min")
    assert kept is not None and kept.value == pytest.approx(np.mean(row["eval/fid"]))
    capfd.readouterr()
    assert main("evaluate", f"--workdir={workdir}", "--metrics=fid", "--num_samples=600") == 0
    line = next(x for x in capfd.readouterr().out.splitlines() if x.startswith("scores/fid"))
    assert " ± " in line and "(600 samples" in line
    record = json.loads((workdir / "eval.json").read_text())
    assert len(record["scores"]["fid"]) == 2
    # What real pictures get is no member's.
    assert not [name for name in record["over_members"] if "real" in name]


def test_pictures_without_an_end_train_no_classifier(capfd: pytest.CaptureFixture) -> None:
    args = ["--config.data.name=stacked_digits", "--config.eval_metrics=is", "--config.steps=2"]
    assert main("train", "--config=wgan_gp", *args, "--workdir=/nowhere") == 2
    err = capfd.readouterr().err
    assert "stacked_digits has no end to train genjax's own classifier on" in err


def test_the_inception_score_alone_reads_no_real_pictures(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generative, "reference", None)
    assert main("evaluate", f"--workdir={trained}", "--metrics=is", "--num_samples=20") == 0


LONG = (
    *TINY, "--config.steps=2000", "--config.log_every=50", "--config.checkpoint_every=500",
    "--config.eval_every=50", "--config.best_metric=mse", "--config.optimizer.learning_rate=0.03",
)  # fmt: skip


@pytest.mark.slow
def test_the_best_state_survives_a_kill(tmp_path: Path) -> None:
    workdirs = [tmp_path / name for name in ("whole", "killed")]
    status, _, err = run("train", *LONG, f"--workdir={workdirs[0]}")
    assert status == 0, err
    process = start("train", *LONG, f"--workdir={workdirs[1]}")
    kept = Checkpoints(workdirs[1] / BEST)
    wait_until(lambda: kept.steps() and Checkpoints(workdirs[1] / "checkpoints").steps(), process)
    process.kill()
    assert finish(process)[0] == -signal.SIGKILL
    before = best(workdirs[1], "mse", "min")
    assert before is not None and before.step < 2000
    status, _, err = run("train", *LONG, f"--workdir={workdirs[1]}")
    assert status == 0, err
    assert "Resumed from step" in err
    assert best(workdirs[1], "mse", "min") == best(workdirs[0], "mse", "min")
    assert_same_bits(*workdirs)
    assert_same_bits(*workdirs, step="best")
