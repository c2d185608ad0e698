"""A classifier and a tagger serve new texts, by names of classes and tags."""

import itertools
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from seqeval.metrics import f1_score, recall_score

import genjax
from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.core.tokens import NUM_SPECIALS
from genjax.data.text import loading
from genjax.data.text.tokenizers import Chars, Words
from genjax.trained import predictions
from tests.cli.helpers import ROOT, main, out_of

LENGTH = 8
SENTENCE = ["Anna B-PER", "Lee I-PER", "saw O", "Rome B-LOC"]
LONG = ["saw O"] * 9  # the entity behind is beyond `LENGTH`
QUIET = (
    "--config.epochs=0",
    "--config.batch_size=16",
    "--config.eval_every=0",
    "--config.checkpoint_every=0",
    "--config.optimizer.learning_rate=0.02",
    f"--config.data.length={LENGTH}",
)


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tagger")
    lines = [*SENTENCE, "", *LONG, "Rome B-LOC", "", *SENTENCE[:3], ""] * 20
    (folder / "names.conll").write_text("\n".join(lines))
    sizes = [f"--config.model.{n}=8" for n in ("embed_dim", "hidden", "char_filters")]
    data = f"--config.data.name=conll:{folder / 'names.conll'}"
    test = f"--config.data.test={folder / 'names.conll'}"
    command = ("train", f"--config={ROOT}/configs/tagger.py", *QUIET, *sizes, data, test)
    workdir = folder / "run"
    assert main(*command, "--config.steps=60", f"--workdir={workdir}") == 0
    return workdir


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A population of two."""
    folder = tmp_path_factory.mktemp("classifier")
    good, bad = "a fine film", "a dull film"
    rows = [f"{good if i % 2 else bad} {i % 7}\t{'good' if i % 2 else 'bad'}" for i in range(60)]
    (folder / "films.tsv").write_text("\n".join(["sentence\tlabel", *rows]))
    workdir = folder / "run"
    assert (
        main(
            "train",
            f"--config={ROOT}/configs/text_classifier.py",
            *QUIET,
            "--config.steps=40",
            "--config.model.network=bag",
            "--config.model.pooling=mean",
            "--config.model.embed_dim=8",
            "--config.model.hidden=8",
            "--config.executor=vmap",
            "--config.num_seeds=2",
            f"--config.data.name=tsv:{folder / 'films.tsv'}",
            f"--workdir={workdir}",
        )
        == 0
    )
    return workdir


def message(capfd: pytest.CaptureFixture, *args: str) -> str:
    capfd.readouterr()
    assert main(*args) == 2
    return capfd.readouterr().err


def test_classes_of_lines_by_name_and_probability(
    classifier: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_bytes("\ufeffa fine\u2028film 3\r\n\r\na dull film".encode())
    command = ("sample", f"--workdir={classifier}", f"--prompts={prompts}")
    rows = [line.split("\t") for line in out_of(capfd, *command).split("\n")[:-1]]
    assert [row[2] for row in rows] == ["a fine\u2028film 3", "", "a dull film"]
    assert [rows[0][0], rows[2][0]] == ["good", "bad"]
    assert all(0.5 <= float(row[1]) <= 1 for row in rows)
    second = out_of(capfd, *command, "--member=1", f"--out={tmp_path / 'x.tsv'}")
    assert second == f"{tmp_path / 'x.tsv'}\n"
    other = (tmp_path / "x.tsv").read_text(encoding="utf-8").split("\n")[:-1]
    assert len(other) == 3 and other[0] != "\t".join(rows[0])


@pytest.mark.slow
def test_words_and_their_tags_as_columns(
    tagger: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    out = tmp_path / "x.conll"
    command = (
        "sample",
        f"--workdir={tagger}",
        "--prompt=Anna Lee saw Rome",
        "--prompt=",
        "--prompt=saw",
    )
    shown = out_of(capfd, *command)
    assert shown == "Anna\tB-PER\nLee\tI-PER\nsaw\tO\nRome\tB-LOC\n\n\nsaw\tO\n\n"
    out_of(capfd, *command, f"--out={out}")
    assert out.read_text() == shown


def test_predictions_need_no_data(tagger: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(tagger, tmp_path / "run")
    names = tagger.parent / "names.conll"
    names.rename(tmp_path / "away")
    try:
        model = genjax.load(moved)
        assert model.predict(["Anna Lee"]) == [[("Anna", "B-PER"), ("Lee", "I-PER")]]
    finally:
        (tmp_path / "away").rename(names)


def stub(tag, length: int) -> Any:
    """A tagger of words "0", "1", … whose tags are the numbers that `tag` gives for tokens."""
    numbers = [str(i) for i in range(100)]
    spec = DataSpec("tagged", (length,), num_classes=100, char_shape=(length, 3))
    run = SimpleNamespace(
        dataset=SimpleNamespace(
            spec=spec,
            codec=Words(numbers, punctuation=False),
            char_codec=Chars("0123456789"),
            labels=numbers,
        )
    )
    return SimpleNamespace(run=run, num_members=0, tag=lambda x, chars: tag(x))


@pytest.mark.parametrize("length", [1, 2, 8])
def test_all_words_of_a_long_sentence_have_a_tag(length: int) -> None:
    model = stub(lambda x: np.maximum(x - NUM_SPECIALS, 0), length)
    sentences = [" ".join(str(i % 100) for i in range(n)) for n in (0, 1, 7, 8, 9, 200, 12, 3)]
    for sentence, tagged in zip(sentences, predictions.tag(model, sentences)):
        assert tagged == [(word, word) for word in sentence.split()]


def test_a_word_of_a_long_sentence_is_tagged_where_both_sides_are_seen() -> None:
    model = stub(lambda x: np.broadcast_to(np.arange(x.shape[1]), x.shape), 16)
    (tagged,) = predictions.tag(model, [["0"] * 99])
    assert all(3 <= int(place) <= 12 for _, place in tagged[8:-8])


def test_a_text_does_not_depend_on_those_beside_it(classifier: Path, tagger: Path) -> None:
    model = genjax.load(classifier).member(0)
    texts = ["a fine film", "", "a dull film " * 9, "film", "fine"] * 30
    together = predictions.classify(model, texts)
    alone = [predictions.classify(model, [t])[0] for t in texts[:5]]
    assert [c.label for c in together] == [c.label for c in alone] * 30
    np.testing.assert_allclose(
        [c.probability for c in together], [c.probability for c in alone] * 30, rtol=1e-5
    )
    np.testing.assert_allclose(
        np.max(model.classify(texts[:5]), -1), [c.probability for c in alone], rtol=1e-5
    )


def test_entities_behind_the_cut_are_missed_as_seqeval_counts_them(
    tagger: Path, capfd: pytest.CaptureFixture
) -> None:
    model = genjax.load(tagger)
    out_of(capfd, "evaluate", f"--workdir={tagger}")
    record = json.loads((tagger / "eval.json").read_text())
    scores = record["scores"]
    assert set(scores) >= {"precision", "recall", "f1", "f1_PER", "f1_LOC"}
    message = "those in the 40 words behind data.length=8 are missed"
    assert message in record["scores_hold_for"]["recall"]
    right, seen = [], []
    for words, tags, _ in loading.read(model.config.data, "test"):
        right.append(tags)
        found = [tag for _, tag in model.tag([words[:LENGTH]])[0]]
        seen.append(found + ["O"] * (len(tags) - len(found)))
    assert scores["recall"] == pytest.approx(recall_score(right, seen)) and scores["recall"] < 0.9
    assert scores["f1"] == pytest.approx(f1_score(right, seen))


def test_what_is_not_for_predictions_is_refused(
    classifier: Path, tagger: Path, capfd: pytest.CaptureFixture
) -> None:
    command = ("sample", f"--workdir={tagger}", "--prompt=Anna")
    assert "--prompt: missing" in message(capfd, *command[:2])
    assert "--beam=2: is for models that write texts; tagger" in message(
        capfd, *command, "--beam=2"
    )
    assert "--n=3: is for models that write" in message(capfd, *command, "--n=3")
    assert "must end in .conll or .txt for tags" in message(capfd, *command, "--out=x.tsv")
    with pytest.raises(ConfigError, match=r"one member does: model\.member\(i\)"):
        genjax.load(classifier).predict(["a"])
    with pytest.raises(ConfigError, match="texts='Anna': must be a list of texts, not one"):
        genjax.load(tagger).predict("Anna")


@pytest.mark.parametrize("length", [1, 2, 5, 8])
def test_windows_hold_all_words_and_are_whole(length: int) -> None:
    for size in range(40):
        starts = predictions.windows(size, length)
        held = {i for at in starts for i in range(at, min(at + length, size))}
        assert held == set(range(size))
        assert all(at + length <= size for at in starts) or starts in ([0], [])
        assert all(b - a <= max(length // 2, 1) for a, b in itertools.pairwise(starts))
