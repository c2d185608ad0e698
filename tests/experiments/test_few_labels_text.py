"""The study of few labels of texts, tiny: choices, rows that are kept, mistakes."""

import numpy as np
import pytest

from experiments import few_labels_text, record
from genjax.cli import launch

WORDS = {"1": "good fine great lovely", "0": "bad dull poor awful"}


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Runs the study on 60 sentences whose words say their label."""
    rng = np.random.default_rng(0)

    def sentences(number):
        for i in range(number):
            label = str(i % 2)
            yield f"{' '.join(rng.choice(WORDS[label].split(), 3))} film\t{label}\n"

    (tmp_path / "train.tsv").write_text("".join(sentences(60)))
    (tmp_path / "test.tsv").write_text("".join(sentences(20)))
    corpus = " ".join(WORDS.values()) + " film\n"
    (tmp_path / "definitions.txt.gz").write_text(corpus * 300)
    monkeypatch.setattr(few_labels_text, "LABELS", {"40": 60, "all": 60})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*args):
        folders = {"workdir": "study", "sst2": "", "corpus": "", "record": "record.json"}
        given = [f"--{name}={tmp_path / folder}" for name, folder in folders.items()]
        return few_labels_text.main([*given, "--steps=4", "--seeds=3", "--labels=40", *args])

    return run


def test_rows_are_recorded_and_never_computed_again(study, tmp_path, monkeypatch, capfd):
    assert study("--encoders=none,word2vec_task", "--ways=tuned") == 0
    rows = record.read(tmp_path / "record.json")
    assert [r["method"] for r in rows] == ["none/tuned/40", "word2vec_task/tuned/40"]
    assert all(r["rate"] in few_labels_text.RATES and r["accuracy"] > 0.9 for r in rows)
    assert sorted(p.name for p in (tmp_path / "study").iterdir()) == [
        "none_tuned_40", "texts", "word2vec_task", "word2vec_task_tuned_40",
    ]  # fmt: skip
    page = (tmp_path / "record.md").read_text()
    assert "| none | trained | 100 | 1 |" in page
    monkeypatch.setattr(launch, "train", None)
    (tmp_path / "record.md").unlink()
    assert study("--encoders=none,word2vec_task", "--ways=tuned") == 0
    assert (tmp_path / "record.md").read_text() == page


def test_held_out_labels_are_among_the_chosen_ones():
    label = ["a"] * 30 + ["b"] * 70
    task = few_labels_text.Task("", [""] * 100, label)
    shown, learned = (task.shown("50", share, 7) for share in (1.0, 0.8))
    assert shown.sum() == 50 and learned.sum() == 40 and (shown >= learned).all()
    assert [shown[:30].sum(), learned[:30].sum()] == [15, 12]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--seeds=x"], "--seeds=x: must be whole numbers"),
        (["--encoders=bart"], "--encoders=bart: unknown"),
        (["--record=table.md"], "--record=table.md: must be the name of a .json file"),
        (["--sst2=nowhere"], "config.data.name='tsv:train.tsv'"),
    ],
)
def test_mistakes_are_one_line(study, tmp_path, capfd, args, message):
    assert study(*args) == 2
    assert message in capfd.readouterr().err
    assert not (tmp_path / "study").exists()
