"""Word vectors of a run, as a program."""

from pathlib import Path

import pytest

from genjax.data.text.word_vectors import read
from tests.cli.helpers import ROOT, main


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("word2vec") / "run"
    fields = {"epochs": 0, "steps": 3, "model.embedding_dim": 4, "data.vocab_size": 200}
    args = [f"--config.{name}={value}" for name, value in fields.items()]
    config = f"--config={ROOT}/configs/word2vec_skipgram.py"
    assert main("train", config, f"--workdir={folder}", *args) == 0
    return folder


def test_vectors_are_shown_scored_and_written(workdir, tmp_path, capsys):
    pairs, questions = tmp_path / "pairs.tsv", tmp_path / "questions.txt"
    pairs.write_text("the\tof\t3.0\na\tin\t1.0\nis\tto\t2.0\nis\tzebra\t2.0\n")
    questions.write_text(": one\nthe of a in\n")
    out = tmp_path / "deep" / "vectors.bin"
    args = [f"--similarity={pairs}", f"--analogies={questions}", f"--out={out}"]
    capsys.readouterr()
    assert main("word_vectors", f"--workdir={workdir}", "--most_similar=the,of", *args) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("the: ") and len(printed[1].split(", ")) == 10
    numbers = dict(line.split(maxsplit=1) for line in printed if "/" in line and " " in line)
    assert numbers["pairs/pairs"] == "3" and numbers["pairs/unknown"] == "1"
    assert numbers["questions/questions"] == "1" and "questions/accuracy" in numbers
    assert printed[-1] == str(out)
    vectors = read(out)
    assert vectors.vectors.shape == (195, 4) and "the" in vectors.words[:5]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--out=v.npy"], "--out=v.npy: must end in .bin, .txt, .txt.gz"),
        (["--most_similar=zzebra"], "--most_similar=zzebra: has no vector"),
        (["--similarity=none.tsv"], "none.tsv: cannot be read"),
        (["--member=3"], "--member=3: must be below the number of members, 1"),
    ],
)
def test_mistakes_are_told_in_a_line(args, message, workdir, capsys):
    capsys.readouterr()
    assert main("word_vectors", f"--workdir={workdir}", *args) == 2
    assert message in capsys.readouterr().err


def test_a_family_without_words_is_told(trained, capsys):
    assert main("word_vectors", f"--workdir={trained}") == 2
    assert "family autoencoder has no word vectors" in capsys.readouterr().err
