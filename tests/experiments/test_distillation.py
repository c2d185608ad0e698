"""The study of distillation, tiny: who trains on what, and the bias of a class never seen."""

import gzip
import json

import numpy as np
import pytest

from experiments import distillation, distilled_pairs, record
from genjax.cli import program
from genjax.engine.workdir import read_config
from genjax.engine.writers import METRICS
from tests.experiments.results import read_results


def test_the_best_bias_makes_the_most_examples_right():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 200)
    p[:, 2] *= 1e-3  # as if class 2 had never been seen
    label = np.where(rng.uniform(size=200) < 0.9, (p * [1, 1, 1e3, 1]).argmax(1), 0)
    best = distillation._best_bias(p, label, 2)

    def right(bias):
        return (np.log(p) + bias * np.eye(4)[2]).argmax(1) == label

    assert right(best).sum() >= max(right(b).sum() for b in np.linspace(-5, 20, 101)) > 150
    assert abs(best - np.log(1e3)) < 1


@pytest.mark.slow
def test_the_study_ends_in_tables(tmp_path):
    args = ["--task=digits", "--seeds=2", "--steps=4", f"--workdir={tmp_path}"]
    assert distillation.main(args) == 0
    of_all, without = read_results(tmp_path).values()
    assert [row["method"] for row in of_all] == [
        "teacher", "student", "distilled_2", "distilled_5", "distilled_20",
    ]  # fmt: skip
    assert all(len(row["accuracy"]["members"]) == 2 for row in of_all)
    assert of_all[0]["parameters"] == 64 * 120 + 120 + 120 * 120 + 120 + 1210
    assert [row["method"] for row in without] == ["as it is", "bias corrected"]
    left_out, taught = (read_config(tmp_path / n).data for n in ("left_out", "distilled_5"))
    assert left_out.num_labeled < taught.num_labeled and left_out.leave_out == "3"
    assert distillation.main(args) == 0  # nothing is left to do


def test_translators_are_trained_once_each_by_the_teacher_of_its_seed(tmp_path, monkeypatch):
    """What trains and scores is left out here: which runs there are, and what is recorded."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("train", "test_2016_flickr"):
        for side in ("de", "en"):
            with gzip.open(tmp_path / f"{name}.{side}.gz", "wt") as file:
                file.write("ein haus\nein hund\n" * 100)
    trained = []

    def train(config, folder, command):
        of = config.teacher.workdir.removeprefix(str(tmp_path))
        trained.append((str(folder.relative_to(tmp_path / "study")), config.seed, of))
        folder.mkdir(parents=True, exist_ok=True)
        row = {"step": 3, "wall_seconds": 90.0, "train/loss": 1.0}
        (folder / METRICS).write_text(json.dumps(row) + "\n")
        return program.DONE

    monkeypatch.setattr(distilled_pairs, "_trained", train)
    scores = {"greedy": 30.0, "beam": 31.5, "nats": 2.0, "parameters": 1000}
    monkeypatch.setattr(distilled_pairs, "_scored", lambda folder: scores)
    path = tmp_path / "record.json"
    args = [
        "--task=multi30k", f"--workdir={tmp_path / 'study'}", f"--record={path}", "--steps=3",
        f"--data_dir={tmp_path}",
    ]  # fmt: skip
    assert distillation.main([*args, "--seeds=2"]) == 0
    expected = [("teacher/0", 0, ""), ("student/0", 0, "")]
    expected += [(f, 0, "") if f[0] == "t" else (f, 0, "/study/teacher/0") for f in
                 ("teacher/0", "word/0", "teacher/0", "sequence/0")]  # fmt: skip
    assert trained[: len(trained) // 2] == expected
    assert trained[-1] == ("sequence/1", 1, "/study/teacher/1")
    page = (tmp_path / "record.md").read_text()
    assert "| sequence-level | 2 | 1,000 | 30 ± 0 | 31.5 ± 0 |" in page
    rows = record.read(path)
    assert len({row["config"] for row in rows}) == 4 and len(rows) == 8
    trained.clear()
    assert distillation.main([*args, "--seeds=2"]) == 0 and not trained
    monkeypatch.setattr(distilled_pairs, "BEAM", 8)  # another protocol: none of these rows
    assert distillation.main([*args, "--table_only"]) == 0
    assert "Nothing is recorded" in (tmp_path / "record.md").read_text()
