"""Texts of trained runs: on the terminal, in files, in training and in the evaluation's numbers."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import genjax
from genjax.core.config import ConfigError
from tests.cli.helpers import ROOT, TINY_TEXT, main, out_of

TRANSLATOR = (
    f"--config={ROOT}/configs/seq2seq_attention.py",
    "--config.steps=4",
    "--config.batch_size=8",
    "--config.sample_every=0",
    "--config.eval_every=0",
    "--config.num_samples=3",
    "--config.model.embed_dim=8",
    "--config.model.hidden=8",
    "--config.model.layers=1",
)


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("translator") / "run"
    assert main("train", *TRANSLATOR, f"--workdir={workdir}") == 0
    return workdir


def test_one_text_is_streamed_and_more_are_written_at_once(
    writer: Path, capfd: pytest.CaptureFixture
) -> None:
    command = ("sample", f"--workdir={writer}", "--prompt=the ", "--max_tokens=20", "--seed=5")
    streamed = out_of(capfd, *command)
    assert streamed.startswith("the ")
    several = out_of(capfd, *command, "--n=3").split(f"\n{'-' * 40}\n")
    assert len(several) == 3 and several[0] == streamed.rstrip("\n")
    assert len(set(several)) == 3
    assert out_of(capfd, *command, "--temperature=0") == out_of(
        capfd, *command, "--top_k=1", "--seed=9"
    )


def test_a_file_of_prompts_becomes_a_file_of_texts(
    writer: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    prompts, out = tmp_path / "prompts.txt", tmp_path / "deep" / "texts.txt"
    prompts.write_text("the fox\n\nFüchse", encoding="utf-8")
    message = out_of(
        capfd,
        "sample",
        f"--workdir={writer}",
        f"--prompts={prompts}",
        f"--out={out}",
        "--max_tokens=9",
        "--repetition_penalty=1.2",
        "--no_repeat=3",
    )
    assert message == f"{out}\n" and [p.name for p in out.parent.iterdir()] == ["texts.txt"]
    texts = out.read_text(encoding="utf-8").split(f"\n{'-' * 40}\n")
    assert [t[: len(p)] for t, p in zip(texts, ["the fox", "", "Füchse"])] == [
        "the fox",
        "",
        "Füchse",
    ]


def test_beam_search_gives_the_best_with_their_scores(
    writer: Path, capfd: pytest.CaptureFixture
) -> None:
    command = ("sample", f"--workdir={writer}", "--prompt=a", "--max_tokens=5", "--beam=4")
    best = out_of(capfd, *command, "--n=3").split(f"\n{'-' * 40}\n")
    scores = [float(text.split("\t")[0]) for text in best]
    assert scores == sorted(scores, reverse=True) and len(best) == 3
    assert best[0].partition("\t")[2] == out_of(capfd, *command).rstrip("\n")


def test_a_loaded_model_writes(writer: Path) -> None:
    model = genjax.load(writer)
    texts = model.generate(["the ", "a"], max_tokens=6, temperature=0.5, top_k=3, seed=1)
    assert len(texts) == 2 and texts == model.generate(
        ["the ", "a"], max_tokens=6, temperature=0.5, top_k=3, seed=1
    )
    assert len(model.generate(n=4, max_tokens=6)) == 4
    with pytest.raises(ConfigError, match="n=3: must be at most beam=2"):
        model.generate(["a"], n=3, beam=2)


def test_texts_are_shown_during_training(writer: Path) -> None:
    names = sorted(p.name for p in (writer / "samples").iterdir())
    assert names == ["samples_0000004.txt", "samples_0000008.txt"]
    text = (writer / "samples" / names[0]).read_text(encoding="utf-8")
    assert text.count("-" * 40) == 2


def test_a_language_model_is_evaluated_by_its_perplexity(
    writer: Path, capfd: pytest.CaptureFixture
) -> None:
    out = out_of(capfd, "evaluate", f"--workdir={writer}")
    record = json.loads((writer / "eval.json").read_text())
    assert record["eval"]["perplexity"] == pytest.approx(np.exp(record["eval"]["loss"]))
    assert "perplexity" in out
    scores = record["scores"]
    # Every token is a character, of which some ("ö", "ü") are two bytes.
    assert scores["bits_per_character"] == pytest.approx(record["eval"]["loss"] / np.log(2))
    assert 0.9 < scores["bits_per_byte"] / scores["bits_per_character"] < 1


@pytest.mark.slow
def test_a_population_writes_by_its_members(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    population = ("--config.executor=vmap", "--config.num_seeds=2", "--config.sample_every=0")
    workdir = tmp_path / "run"
    assert main("train", *TINY_TEXT, *population, f"--workdir={workdir}") == 0
    command = ("sample", f"--workdir={workdir}", "--prompt=The ", "--max_tokens=12")
    first, second = (out_of(capfd, *command, f"--member={i}") for i in (0, 1))
    assert first == out_of(capfd, *command) and first != second
    with pytest.raises(ConfigError, match=r"model.member\(i\)"):
        genjax.load(workdir).generate(["The "])


@pytest.mark.slow
def test_sources_are_answered_line_by_line(
    translator: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    sources = tmp_path / "sources.txt"
    sources.write_text("1 2 3\n4\n5 6 7 8 9")
    command = ("sample", f"--workdir={translator}", f"--prompts={sources}")
    assert out_of(capfd, *command).count("\n") == 3
    assert out_of(capfd, *command, "--beam=3").count("\n") == 3
    best = out_of(capfd, *command, "--beam=3", "--n=2").splitlines()
    assert len(best) == 6 and all("\t" in line for line in best)
    assert main("sample", f"--workdir={translator}") == 2
    assert "--prompt: missing" in capfd.readouterr().err
    assert main("sample", f"--workdir={translator}", "--prompt=1", "--max_tokens=99") == 2
    assert "--max_tokens=99: must be at most 16" in capfd.readouterr().err


@pytest.mark.parametrize("form", ["plain", "gzip", "mark and CRLF"])
def test_each_line_of_a_file_of_prompts_has_one_answer(
    translator: Path, tmp_path: Path, capfd: pytest.CaptureFixture, form: str
) -> None:
    text = "1 2\u20283\n\n\u00854 5\x0b6\x0c7\n8\n"
    data = text.replace("\n", "\r\n").encode("utf-8-sig") if "CRLF" in form else text.encode()
    (tmp_path / "prompts").write_bytes(gzip.compress(data) if form == "gzip" else data)
    command = ("sample", f"--workdir={translator}", f"--prompts={tmp_path / 'prompts'}")
    out = out_of(capfd, *command)
    assert out.count("\n") == 4
    given = [f"--prompt={line}" for line in text.split("\n")[:-1]]
    assert out == out_of(capfd, *command[:2], *given)


def test_prompts_that_are_no_text_are_told_with_their_line(
    translator: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    (tmp_path / "prompts").write_bytes(b"1 2\n3 \xff\n")
    assert main("sample", f"--workdir={translator}", f"--prompts={tmp_path / 'prompts'}") == 2
    assert "prompts: line 2: is not UTF-8 (byte 0xff" in capfd.readouterr().err


def test_attention_is_drawn(translator: Path, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    out = tmp_path / "maps.png"
    out_of(capfd, "sample", f"--workdir={translator}", "--prompt=1 2 3", f"--out={out}")
    assert min(Image.open(out).size) > 100


@pytest.mark.slow
def test_translations_are_shown_and_judged(translator: Path, capfd: pytest.CaptureFixture) -> None:
    (shown,) = (translator / "samples").glob("reconstructions_*.txt")
    assert shown.read_text().count(" -> ") == 3
    out = out_of(capfd, "evaluate", f"--workdir={translator}", "--beam=2", "--bleu_tokenize=char")
    record = json.loads((translator / "eval.json").read_text())
    assert set(record["scores"]) >= {"bleu", "word_bleu", "chrf", "rouge_l", "exact"}
    message = record["scores_hold_for"]["bleu"]
    assert (
        "1,000 test sentences; beam 2" in message.replace(", beam", "; beam")
        and "tok:char" in message
    )
    assert f"({message})" in out
    assert list((translator / "samples").glob("attention_*.png"))
