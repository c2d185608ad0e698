"""The study of few labels of texts, tiny: choices, rows that are kept, mistakes."""

import dataclasses
import gzip
import types

import numpy as np
import pytest

import genjax
from experiments import few_labels_text, record
from experiments.labeled_texts import TASKS, Split
from genjax.cli import launch

WORDS = {"1": "good fine great lovely", "0": "bad dull poor awful"}


def tagged(row):
    """Writes a sentence with its good words as entities."""
    words = row.split("\t")[0].split()
    good = WORDS["1"].split()
    return "".join(f"{w}\t{'B-good' if w in good else 'O'}\n" for w in words) + "\n"


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Runs the study on 60 sentences whose words say their label, and are entities or none."""
    rng = np.random.default_rng(0)

    def sentences(number):
        for i in range(number):
            label = str(i % 2)
            yield f"{' '.join(rng.choice(WORDS[label].split(), 3))} film\t{label}\n"

    for split, number in (("train", 60), ("test", 20)):
        rows = list(sentences(number))
        (tmp_path / f"{split}.tsv").write_text("".join(rows))
        (tmp_path / f"{split}.conll").write_text("".join(map(tagged, rows)))
    corpus = " ".join(WORDS.values()) + " film\n"
    (tmp_path / "definitions.txt.gz").write_bytes(gzip.compress(300 * corpus.encode()))
    monkeypatch.setattr(few_labels_text, "LABELS", ("40", "all"))
    for name, task in TASKS.items():
        brief = dataclasses.replace(task, updates={"40": 60, "all": 60})
        monkeypatch.setitem(few_labels_text.TASKS, name, brief)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*args):
        folders = {"workdir": "study", "record": "record.json"}
        folders |= dict.fromkeys(("sst2", "wnut17", "corpus"), "")
        given = [f"--{name}={tmp_path / folder}" for name, folder in folders.items()]
        return few_labels_text.main([*given, "--steps=4", "--seeds=3", "--labels=40", *args])

    return run


@pytest.mark.slow
def test_rows_are_recorded_and_never_computed_again(study, tmp_path, monkeypatch, capfd):
    chosen = ("--encoders=word2vec_task", "--ways=tuned")
    assert study(*chosen) == 0
    rows = record.read(tmp_path / "record.json")
    assert [r["method"] for r in rows] == [f"{t}/word2vec_task/tuned/40" for t in TASKS]
    for row, task in zip(rows, TASKS.values()):
        assert row["rate"] in task.rates["tuned"] and row[task.score] > 0.9
    assert not list((tmp_path / "study").rglob("final"))
    assert {p.name for p in (tmp_path / "study").glob("word2vec*")} == {
        "word2vec_task_sst2", "word2vec_task_wnut17",
    }  # fmt: skip
    page = (tmp_path / "record.md").read_text()
    assert page.count("| word2vec_task | tuned | ") == 2
    monkeypatch.setattr(launch, "train", None)
    (tmp_path / "record.md").unlink()
    assert study(*chosen) == 0
    assert (tmp_path / "record.md").read_text() == page


@pytest.mark.slow
def test_vectors_of_a_table_that_are_frozen_stay(study, tmp_path, monkeypatch):
    keeping = types.SimpleNamespace(rmtree=lambda folder: None)
    monkeypatch.setattr(few_labels_text, "shutil", keeping)
    assert study("--tasks=wnut17", "--encoders=word2vec", "--ways=frozen") == 0
    ours = genjax.load(tmp_path / "study/wnut17_word2vec_frozen_40/3/final").state.params
    theirs = genjax.load(tmp_path / "study/word2vec").state.params
    np.testing.assert_array_equal(ours["scorer"]["words"]["tokens"], theirs["input"])


def test_held_out_labels_are_among_the_chosen_ones():
    split = Split([""] * 100, [""] * 100, np.array([0] * 30 + [1] * 70))
    shown, learned = (split.shown("50", share, 7) for share in (1.0, 0.8))
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
