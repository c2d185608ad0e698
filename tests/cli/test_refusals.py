"""What is refused changes nothing: not a file, not a byte, not a time of change."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.helpers import ROOT, TINY, main
from tests.cli.test_without_data import one_error
from tests.data.test_record import pictures

REFUSED = {  # field=value of a run that is there, or other arguments: what is told
    "executor=vmap": "config.executor is 'scan' there, 'vmap' here",
    "executor=vmap num_seeds=2": "num_seeds is 1 there, 2 here",
    "seed=1": "config.seed is 0 there, 1 here",
    "batch_size=8": "config.batch_size is 16 there, 8 here",
    "model.latent_dim=3": "config.model.latent_dim is 2 there, 3 here",
    "precision=bfloat16": "precision",
    "optimizer.learning_rate=0.5": "learning_rate",
    "optimizer.b1=1": "config.optimizer.b1=1.0",
    "best_metric=nonsense eval_every=2": "config.best_metric='nonsense'",
    "best_metric=elbo": "needs evaluations during the run",
    "eval_metrics=nonsense eval_every=2": "eval_metrics",
    "eval_metrics=fid eval_every=2 eval_weights=/nowhere.pth": "/nowhere.pth",
    "data.test_fraction=0.3": "config.data.test_fraction is 0.1 there, 0.3 here",
    "data.test_fraction=2": "must be above 0 and below 1",
    "data.name=images:/nowhere": "no such folder",
    "data.name=ring": "needs data in [0, 1]",
    "steps=0": "exactly one must be above 0",
    "family=nonsense": "config.family='nonsense'",
    "epochs=1": "are two lengths",
    "--profile_steps=99:100": "must begin before the run's end",
    "--profile_steps=3:1": "must be a:b",
    "--nonsense=1": "no such flag",
}


def snapshot(folder: Path) -> dict[str, Any]:
    """Bytes and time of change of every file and folder."""
    return {
        str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else None)
        for p in [folder, *folder.rglob("*")]
    }


def arguments(text: str) -> list[str]:
    return [word if word.startswith("--") else f"--config.{word}" for word in text.split()]


@pytest.mark.parametrize("asked", REFUSED)
def test_a_refusal_leaves_a_trained_run_as_it_was(
    asked: str, trained: Path, capfd: pytest.CaptureFixture
) -> None:
    before = snapshot(trained)
    args = [*TINY, "--config.steps=8", *arguments(asked)]
    assert main("train", *args, f"--workdir={trained}") == 2
    assert REFUSED[asked] in one_error(capfd)
    assert snapshot(trained) == before


@pytest.mark.parametrize(
    "asked",
    [
        "evaluate --step=9",
        "evaluate --metrics=nonsense",
        "evaluate --beam=3",
        "sample --step=9",
        "sample --step=best",
        "sample --member=3",
        "sample --prompt=x",
        "latent --attributes=nonsense",
        "latent --member=1",
        "to_hugging_face --folder=/nowhere/x",
    ],
)
def test_a_refused_use_leaves_it_as_well(
    asked: str, trained: Path, capfd: pytest.CaptureFixture
) -> None:
    before = snapshot(trained)
    program, *args = asked.split()
    assert main(program, *args, f"--workdir={trained}") == 2
    one_error(capfd)
    assert snapshot(trained) == before


def test_the_run_evaluates_and_goes_on_after_a_refusal(trained: Path) -> None:
    args = [*TINY, "--config.steps=8", f"--workdir={trained}"]
    assert main("train", *args, "--config.executor=vmap") == 2
    assert main("evaluate", f"--workdir={trained}") == 0
    assert main("train", *args) == 0


def test_a_checkpoint_of_other_shapes_is_refused_before_anything_is_written(
    trained: Path, capfd: pytest.CaptureFixture
) -> None:
    path = trained / "config.json"
    path.write_text(path.read_text().replace('"latent_dim": 2', '"latent_dim": 3'))
    before = snapshot(trained)
    args = [*TINY, "--config.steps=8", "--config.model.latent_dim=3"]
    assert main("train", *args, f"--workdir={trained}") == 2
    assert "is of another config" in one_error(capfd)
    assert snapshot(trained) == before


def test_other_classes_are_refused_and_other_pictures_warned_of(
    tmp_path: Path, capfd: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
) -> None:
    folder, run = pictures(tmp_path / "D", b=60, c=200), tmp_path / "run"
    args = [*TINY, f"--config.data.name=images:{folder}", f"--workdir={run}"]
    args.append(f"--config.data.cache_dir={tmp_path / 'cache'}")
    assert main("train", *args, "--config.steps=2") == 0
    before = snapshot(run)
    shutil.rmtree(folder / "b")
    pictures(folder, d=60)
    for program in ("train", "evaluate"):
        more = [*args, "--config.steps=4"] if program == "train" else [f"--workdir={run}"]
        assert main(program, *more) == 2
        assert "classes b, c there, c, d here" in one_error(capfd)
        assert snapshot(run) == before
    (folder / "d").rename(folder / "b")
    (folder / "b" / "0.png").unlink()
    for steps, warnings in ((4, 1), (6, 0)):  # once: it is recorded
        assert main("train", *args, f"--config.steps={steps}") == 0
        message = [r for r in caplog.records if "other content than the run" in r.getMessage()]
        assert len(message) == warnings
        caplog.clear()


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "--config.start.workdir=NOWHERE",
        "--config.start.workdir=AUTOENCODER",
        "--config.start.workdir=DAMAGED",
    ],
)
def test_a_run_that_cannot_begin_makes_no_folder(
    asked: str, trained: Path, reader: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    for checkpoint in (reader / "checkpoints").iterdir():
        largest = max((p for p in checkpoint.rglob("*") if p.is_file()), key=lambda p: len(str(p)))
        largest.write_bytes(largest.read_bytes()[::-1])
    before = [snapshot(trained), snapshot(reader)]
    folders = {"NOWHERE": tmp_path / "nowhere", "AUTOENCODER": trained, "DAMAGED": reader}
    for name, folder in folders.items():
        asked = asked.replace(name, str(folder))
    args = [asked] if asked else ["--config.best_metric=x", "--config.eval_every=1"]
    recipe = f"--config={ROOT}/configs/text_classifier.py"
    small = ["--config.model.embed_dim=4", "--config.model.network=bag"] if not asked else []
    folder = tmp_path / "deep" / "run"
    assert main("train", recipe, *small, *args, f"--workdir={folder}") == 2
    one_error(capfd)
    assert not folder.parent.exists()
    assert [snapshot(trained), snapshot(reader)] == before


def test_a_refused_sweep_leaves_all_groups_as_they_were(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    sweep = [*TINY, "--config.steps=2", f"--workdir={tmp_path / 'sweep'}", "--seeds=2"]
    assert main("sweep", *sweep) == 0
    group = tmp_path / "sweep" / "group_0"
    population = json.loads((group / "population.json").read_text())
    for damage, message in (
        (["--seeds=3"], "another sweep"),
        (["--grid=seed=1,2"], "cannot be swept"),
        (["--config.best_metric=x", "--config.eval_every=1"], "another sweep"),
    ):
        before = snapshot(tmp_path / "sweep")
        assert main("sweep", *sweep, *damage) == 2
        assert message in one_error(capfd)
        assert snapshot(tmp_path / "sweep") == before
    (tmp_path / "sweep" / "sweep.json").unlink()  # what is left tells the same
    before = snapshot(tmp_path / "sweep")
    assert main("sweep", *sweep, "--seeds=3") == 2
    assert "num_seeds is 2 there, 3 here" in one_error(capfd)
    assert snapshot(tmp_path / "sweep") == before
    assert main("sweep", *sweep) == 0
    assert json.loads((group / "population.json").read_text()) == population
