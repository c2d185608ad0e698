"""The command `genjax`: what it lists, what it runs, and how programs name each other."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from genjax.cli import main as front
from genjax.cli import program
from tests.cli.helpers import ROOT, TINY


def test_it_lists_each_program_by_the_first_line_of_its_docstring(
    capsys: pytest.CaptureFixture,
) -> None:
    assert front.main([]) == front.main(["--help"]) == 0
    listed = capsys.readouterr().out
    for name, line in front.PROGRAMS.items():
        source = (ROOT / f"genjax/cli/{name.replace('-', '_')}.py").read_text()
        assert (ast.get_docstring(ast.parse(source)) or "").startswith(f"{line}\n")
        assert listed.count(f"  {name:18}{line}\n") == 2
    scripts = [p for p in (ROOT / "experiments").glob("*.py") if len(p.read_text()) < 300]
    entries = {p.stem.replace("_", "-") for p in scripts} - {"--init--"}
    assert front.PROGRAMS.keys() == entries


def test_an_unknown_one_is_one_line(capsys: pytest.CaptureFixture) -> None:
    assert front.main(["trian", "--config=vae"]) == 2
    assert front.main(["xyz"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first == "genjax: 'trian': no such command; did you mean train?"
    assert second.startswith("genjax: 'xyz': no such command; must be one of train, evaluate, ")


def test_a_program_behaves_as_by_its_own_name(tmp_path: Path) -> None:
    words = ["train", *TINY, "--config.steps=2", f"--workdir={tmp_path / 'run'}"]
    done = subprocess.run(
        [sys.executable, "-m", "genjax", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"\n  python -m genjax evaluate --workdir={tmp_path / 'run'}\n" in done.stdout


@pytest.mark.parametrize(
    ("started", "named"),
    [
        ("/usr/bin/genjax", "genjax word-vectors"),
        ("/lib/genjax/__main__.py", "python -m genjax word-vectors"),
        ("/usr/bin/genjax-train", "genjax-word-vectors"),
        ("/home/experiments/train.py", "python -m experiments.word_vectors"),
    ],
)
def test_programs_name_each_other_as_the_user_called_them(
    started: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [started])
    assert program.command("word_vectors", "--workdir=a b") == f"{named} '--workdir=a b'"
