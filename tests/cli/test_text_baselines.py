"""`experiments.text_baselines`: a run's scores beside those of what needs no learning."""

import json
import shutil
from pathlib import Path

import pytest

import genjax
from experiments.text_baselines import main
from genjax.evaluation.text.rouge import rouge
from genjax.evaluation.text.scores import held_out


def test_all_are_scored_on_the_test_pairs_that_evaluate_scores(
    dialogue: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    workdir = shutil.copytree(dialogue, tmp_path / "run")
    assert main([f"--workdir={workdir}", "--lead=2", "--beam=2"]) == 0
    out = capfd.readouterr().out
    record = json.loads((workdir / "baselines.json").read_text())
    names = ["run, step 3", "first 2 words", "most frequent target", "target of the nearest source"]
    assert list(record["scores"]) == names and all(name in out for name in names)
    assert "beam 2" in record["scores_hold_for"]["rouge_1"]
    model = genjax.load(workdir)
    sources, targets = held_out(model, 100)
    lead = rouge([" ".join(source.split()[:2]) for source in sources], targets)
    assert record["scores"]["first 2 words"]["rouge_1"] == pytest.approx(lead["rouge_1"])
    written = rouge(model.generate(sources, beam=2), targets)
    assert record["scores"]["run, step 3"]["rouge_l"] == pytest.approx(written["rouge_l"])


def test_what_answers_nothing_is_refused(writer: Path, capfd: pytest.CaptureFixture) -> None:
    assert main([f"--workdir={writer}"]) == 2
    assert "must be trained on pairs of texts" in capfd.readouterr().err
