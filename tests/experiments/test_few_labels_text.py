"""The study of few labels of texts, tiny: choices, rows that are kept, mistakes."""

import gzip

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
    (tmp_path / "definitions.txt.gz").write_bytes(gzip.compress(300 * corpus.encode()))
    monkeypatch.setattr(few_labels_text, "LABELS", {"40": 60, "all": 60})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*args):
        folders = {"workdir": "study", "sst2": "", "corpus": "", "record": "record.json"}
        given = [f"--{name}={tmp_path / folder}" for name, folder in folders.items()]
        return few_labels_text.main([*given, "--steps=4", "--seeds=3", "--labels=40", *args])

    return run


@pytest.mark.slow
def test_rows_are_recorded_and_never_computed_again(study, tmp_path, monkeypatch, capfd):
    chosen = ("--encoders=word2vec_task", "--ways=tuned")
    assert study(*chosen) == 0
    (row,) = record.read(tmp_path / "record.json")
    assert row["method"] == "word2vec_task/tuned/40"
    assert row["rate"] in few_labels_text.RATES["tuned"] and row["accuracy"] > 0.9
    assert not list((tmp_path / "study").rglob("final"))
    page = (tmp_path / "record.md").read_text()
    assert "| word2vec_task | tuned | " in page
    monkeypatch.setattr(launch, "train", None)
    (tmp_path / "record.md").unlink()
    assert study(*chosen) == 0
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
