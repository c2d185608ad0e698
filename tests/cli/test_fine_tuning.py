"""`experiments.train` with the encoder of another run, from the command line to its predictions."""

import shutil
from pathlib import Path

import pytest

import genjax
from tests.cli.helpers import ROOT, assert_same_bits, main


@pytest.mark.slow
def test_a_classifier_of_a_trained_encoder(
    reader: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    (tmp_path / "train.tsv").write_text("a lazy dog .\tdog\nthe brown fox ;\tfox\n" * 40)
    shutil.copy(tmp_path / "train.tsv", tmp_path / "test.tsv")

    def train(name: str, steps: int) -> int:
        return main(
            "train",
            f"--config={ROOT}/configs/sst2.py:bert",
            f"--workdir={tmp_path / name}",
            f"--config.data.dir={tmp_path}",
            f"--config.start.workdir={reader}",
            "--config.data.length=12",
            f"--config.steps={steps}",
            "--config.batch_size=8",
            "--config.chunk=5",
            "--config.checkpoint_every=15",
            "--config.optimizer.learning_rate=0.01",
            "--config.optimizer.schedule=constant",
        )

    assert train("whole", 30) == 0
    assert train("parted", 15) == 0
    shutil.rmtree(reader)
    assert train("parted", 30) == 0
    assert_same_bits(tmp_path / "whole", tmp_path / "parted")
    capfd.readouterr()
    assert main("evaluate", f"--workdir={tmp_path / 'parted'}") == 0
    assert "eval/accuracy" in capfd.readouterr().out
    model = genjax.load(tmp_path / "parted")
    found = model.classify(["the brown fox ;", "a lazy dog ."]).argmax(-1)
    assert [model.run.dataset.labels[i] for i in found] == ["fox", "dog"]
