"""`genjax nearest`: texts near texts, by what a run makes of them."""

import json
from pathlib import Path

import numpy as np
import pytest

import genjax
from tests.cli.helpers import main, out_of

TEXTS = ["the quick brown fox", "a lazy dog", "3 Füchse", "the quick fox"]


@pytest.fixture
def among(tmp_path: Path) -> Path:
    path = tmp_path / "among.txt"
    path.write_text("\n".join([*TEXTS[:2], "", *TEXTS[2:]]), encoding="utf-8")
    return path


def test_a_text_is_nearest_to_itself_by_the_vectors_of_encode(
    reader: Path, among: Path, capfd: pytest.CaptureFixture
) -> None:
    command = ("nearest", f"--workdir={reader}", f"--among={among}", "--k=2")
    shown = out_of(capfd, *command, "--query=a lazy dog", f"--query={TEXTS[0]}")
    blocks = [block.splitlines() for block in shown.strip().split("\n\n")]
    assert [b[0] for b in blocks] == ["a lazy dog", TEXTS[0]]
    assert blocks[0][1] == "   1.000  a lazy dog" and all(len(b) == 3 for b in blocks)
    vectors = genjax.load(reader).encode(TEXTS).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    out = among.with_suffix(".json")
    assert out_of(capfd, *command, f"--queries={among}", f"--out={out}") == f"{out}\n"
    for i, one in enumerate(json.loads(out.read_text(encoding="utf-8"))):
        assert one["query"] == TEXTS[i] and one["nearest"][0]["text"] == TEXTS[i]
        cosine = np.sort(vectors @ vectors[i])[::-1][:2]
        np.testing.assert_allclose([n["cosine"] for n in one["nearest"]], cosine, atol=1e-5)


def test_a_language_model_compares_by_its_last_layer(
    writer: Path, among: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    out = tmp_path / "deep" / "found.tsv"
    among.write_text("a lazy dog\nthe fox\n", encoding="utf-8")
    command = ("nearest", f"--workdir={writer}", f"--among={among}", f"--out={out}")
    out_of(capfd, *command, "--query=the fox")
    rows = [line.split("\t") for line in out.read_text(encoding="utf-8").splitlines()]
    assert rows[0] == ["query", "rank", "cosine", "text"] and len(rows) == 3
    assert rows[1][:2] == ["the fox", "1"] and rows[1][3] == "the fox"
    assert float(rows[1][2]) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "--query: one of --query=TEXT and --queries=FILE must be given"),
        (["--query=a", "--queries=b"], "--query: one of"),
        (["--query=a", "--out=x.csv"], "--out=x.csv: must end in .json or .tsv"),
        (["--query=a", "--among=/nowhere"], "--among=/nowhere: "),
        (["--query=a"], "--among: missing; family bert has vectors of texts, not of words"),
    ],
)
def test_mistakes_are_one_line(
    args: list[str], message: str, reader: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main("nearest", f"--workdir={reader}", *args) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_text_that_is_too_long_is_named_by_its_line(
    reader: Path, among: Path, capsys: pytest.CaptureFixture
) -> None:
    among.write_text(f"the fox\n\n{'the fox ' * 9}\n", encoding="utf-8")
    command = ("nearest", f"--workdir={reader}", f"--among={among}")
    for more, where in (
        ("--query=the fox", f"--among={among}: line 3: has "),
        (f"--query={'a lazy dog ' * 9}", "--query='a lazy dog a lazy d…g a lazy dog ': has "),
        (f"--queries={among}", f"--queries={among}: line 3: has "),
    ):
        assert main(*command, more) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert where in line and "tokens; this model sees" in line


def test_a_model_of_images_has_no_texts(
    trained: Path, among: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main("nearest", f"--workdir={trained}", "--query=a", f"--among={among}") == 2
    assert "family autoencoder has no vectors of texts" in capsys.readouterr().err
