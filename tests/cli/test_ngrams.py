"""`experiments.ngrams`: baselines from a run's own tokens."""

import re
from pathlib import Path

import pytest

from genjax.engine.workdir import open_workdir
from tests.cli.helpers import main
from tests.contracts import recipes


@pytest.mark.parametrize("kind", ["text", "sentence"])
def test_longer_contexts_tell_more(kind: str, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    config = recipes.tiny("bert", tmp_path, data__kind=kind, data__vocab_size=1000)
    open_workdir(tmp_path / "run", config)
    assert main("ngrams", f"--workdir={tmp_path}/run", "--order=2") == 0
    out = capfd.readouterr().out
    found = {n: float(v) for n, v in re.findall(r"^(\S+)\s+([\d.e+]+)$", out, re.MULTILINE)}
    assert 3 < found["2-grams/loss"] < found["1-grams/loss"] < 7
    assert found["2-grams/loss_of_words"] < found["1-grams/loss_of_words"]
