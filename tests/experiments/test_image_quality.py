"""The study of image quality, tiny, on digits: what is recorded once is not computed again."""

import json
from pathlib import Path

import pytest

from experiments import image_quality, record
from genjax import recipes
from genjax.cli import launch
from genjax.engine.writers import read_metrics
from genjax.evaluation.image import classifier


@pytest.fixture(autouse=True)
def small(tmp_path_factory, monkeypatch):
    """One method on digits, a classifier trained for a moment, and a cache of its own."""
    train = classifier.train_classifier
    monkeypatch.setattr(
        classifier, "train_classifier", lambda *a, **k: train(*a, **k | {"steps": 30})
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    monkeypatch.setattr(image_quality, "RECIPES", {"wgan_gp": "wgan_gp"})


def study(folder: Path, *args: str, workdir: str = "study") -> int:
    tiny = ("--num_samples=60", "--steps=2", "--seeds=3")
    folders = (f"--workdir={folder / workdir}", f"--record={folder / 'record.json'}")
    return image_quality.main([*folders, *tiny, *args])


def test_rows_are_recorded_and_never_computed_again(tmp_path, monkeypatch, capfd):
    path = tmp_path / "record.json"
    other = {"method": "wgan_gp", "seed": 3, "config": "another"}
    path.write_text(json.dumps([other]))
    assert study(tmp_path) == 0
    rows = record.read(path)
    assert [(r["method"], r["seed"]) for r in rows] == [("real", 0), *[("wgan_gp", 3)] * 2]
    rows.remove(other)  # of other settings: kept, and in no table
    real, trained = rows
    assert trained["steps"] == 2 and trained["seconds"] > 0 and "jax" in trained["versions"]
    assert set(trained["scores"]) == {
        "fid", "precision", "recall", "density", "coverage", "mind", "confident", "classes",
    }  # fmt: skip
    assert real["scores"]["fid"] < trained["scores"]["fid"]
    page = (tmp_path / "record.md").read_text()
    assert [line.split(" | ")[:2] for line in page.splitlines() if line.startswith("| ")] == [
        ["| method", "seeds"], ["| ---", "---"], ["| real", ""], ["| wgan_gp", "1"],
    ]  # fmt: skip

    # On another machine, whose folder is empty, nothing is trained, and the page is the same.
    monkeypatch.setattr(launch, "train", None)
    (tmp_path / "record.md").unlink()
    assert study(tmp_path, workdir="elsewhere") == study(tmp_path, "--table_only") == 0
    assert not (tmp_path / "elsewhere").exists()
    assert (tmp_path / "record.md").read_text() == page
    assert study(tmp_path, "--steps=5", "--table_only") == 0
    assert "| wgan_gp |" not in (tmp_path / "record.md").read_text()  # five updates: not yet


def test_a_run_that_was_stopped_while_it_was_scored_goes_on_there(tmp_path, monkeypatch, capfd):
    judge, calls = image_quality._scores, []

    def stops(*args):
        calls.append(args)
        if len(calls) == 2:  # the first is of the real pictures
            raise KeyboardInterrupt
        return judge(*args)

    monkeypatch.setattr(image_quality, "_scores", stops)
    assert study(tmp_path, "--methods=wgan_gp") == 143
    assert "computing samples_0" in capfd.readouterr().out
    run = tmp_path / "study" / "wgan_gp" / "3"
    before = read_metrics(run / "metrics.jsonl")
    assert [r["method"] for r in record.read(tmp_path / "record.json")] == ["real"]
    assert study(tmp_path, "--methods=wgan_gp") == 0
    assert "computing samples_0" not in capfd.readouterr().out
    assert read_metrics(run / "metrics.jsonl") == before
    assert [p.name for p in run.parent.iterdir()] == ["3"]  # samples are gone


def test_a_digest_is_of_what_a_run_is_and_of_nothing_else():
    config = recipes.load("wgan_gp").unlock()
    first = record.digest(config, samples=60)
    config.seed, config.log_every, config.data.cache_dir = 7, 3, "elsewhere"
    assert record.digest(config, samples=60) == first != record.digest(config, samples=61)
    config.optimizer.learning_rate *= 2
    assert record.digest(config, samples=60) != first


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--seeds=1,x"], "--seeds=1,x: must be whole numbers"),
        (["--methods=vae"], "--methods=vae: unknown"),
        (["--record=table.md"], "--record=table.md: must be the name of a .json file"),
    ],
)
def test_mistakes_are_one_line(tmp_path, capfd, args, message):
    assert study(tmp_path, *args) == 2
    assert message in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_record_is_refused(tmp_path, capfd):
    (tmp_path / "record.json").write_text('{"rows": 1}')
    assert study(tmp_path) == 2
    assert "is no record" in capfd.readouterr().err
