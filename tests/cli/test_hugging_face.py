"""Runs become Hugging Face folders, and these become runs, by the programs."""

import json

import jax
import numpy as np
import pytest

import genjax
from tests.cli.helpers import ROOT, checkpoints, main
from tests.hf import folders

TRAIN = ("--config.steps=2", "--config.batch_size=2", "--config.log_every=1")
BOTH = ("gpt2", "bert")


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("the cat sat on the mat, and the dog sat by the cat.\n" * 40)
    return f"--config.data.name=text:{path}"


@pytest.fixture(scope="module")
def made(tmp_path_factory, text):
    """The runs of a folder of each kind."""
    at = tmp_path_factory.mktemp("made")
    for kind in BOTH:
        folders.make(at / kind, kind)
        args = [f"--folder={at / kind}", f"--workdir={at / 'runs' / kind}", text, *TRAIN]
        assert main("from_hugging_face", *args) == 0
    return at


@pytest.mark.slow
def test_a_run_of_a_folder_writes_evaluates_and_is_trained_further(made, capsys):
    workdir = made / "runs" / "gpt2"
    before = genjax.load(workdir)
    assert before.step == 0 and before.config.data.tokenizer == "hugging_face"
    out = workdir / "written.txt"
    sample = ["--prompt=the cat", "--max_tokens=5", "--n=2", f"--out={out}"]
    assert main("sample", f"--workdir={workdir}", *sample) == 0
    assert out.read_text().count("the cat") >= 2
    assert main("evaluate", f"--workdir={workdir}") == 0
    assert np.isfinite(json.loads((workdir / "eval.json").read_text())["eval"]["loss"])
    capsys.readouterr()
    args = f"--config={workdir / 'config.json'}", f"--workdir={workdir}"
    assert main("train", *args) == 0
    assert checkpoints(workdir) == [0, 2]
    after = genjax.load(workdir)
    changed = [
        np.any(np.asarray(a) != np.asarray(b))
        for a, b in zip(*(jax.tree.leaves(m.state.params) for m in (before, after)))
    ]
    assert all(changed)
    assert main("train", *args, "--config.seed=1") == 2
    assert "config.seed is 0 there, 1 here" in capsys.readouterr().err


def test_bert_of_a_folder_fills_what_is_hidden(made):
    model = genjax.load(made / "runs" / "bert")
    assert model.config.loss.next_sentence
    x = np.array([[7, 8, 4, 9]], np.int32)
    filled = model.predict_masked(x)
    assert (filled != 4).all() and (filled[:, [0, 1, 3]] == x[:, [0, 1, 3]]).all()
    assert {"loss", "accuracy", "next_sentence_accuracy"} <= model.evaluate().keys()


@pytest.mark.parametrize("kind", BOTH)
def test_a_run_of_a_folder_becomes_a_folder_and_a_run_again(kind, made, text, tmp_path, capsys):
    run = made / "runs" / kind
    assert main("to_hugging_face", f"--workdir={run}", "--step=0", f"--out={tmp_path / 'hf'}") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "hf")
    again = [f"--folder={tmp_path / 'hf'}", f"--workdir={tmp_path / 'run'}", text, *TRAIN]
    assert main("from_hugging_face", *again) == 0
    a, b = genjax.load(run, 0), genjax.load(tmp_path / "run")
    for x, y in zip(*(jax.tree.leaves(model.state.params) for model in (a, b))):
        np.testing.assert_array_equal(x, y)
    assert main("from_hugging_face", *again) == 2
    assert "holds a run already" in capsys.readouterr().err


def test_fewer_places_are_cut_and_more_refused(made, text, tmp_path, capsys):
    at = [f"--folder={made / 'gpt2'}", f"--workdir={tmp_path / 'run'}", text, *TRAIN]
    for change, message in (
        ("data.length=13", "config.data.length=13: must be at most 12"),
        ("model.width=16", "network.embedding.positions is (12, 8) in the folder and (12, 16)"),
        ("model.positions=rotary", "embedding.positions is (12, 8) in the folder and absent by"),
        ("executor=vmap", "config.executor='vmap': a folder holds one model"),
        ("data.tokenizer=word", "must be hugging_face"),
        ("model.tide=True", "config.model.tide=True: no such field"),
    ):
        assert main("from_hugging_face", *at, f"--config.{change}") == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "run").exists()
    assert main("from_hugging_face", *at, "--config.data.length=5") == 0
    params = genjax.load(tmp_path / "run").state.params["network"]["embedding"]
    whole = genjax.load(made / "runs" / "gpt2", 0).state.params["network"]["embedding"]
    np.testing.assert_array_equal(params["positions"], whole["positions"][:5])


def test_a_head_that_the_config_has_not_is_left_out(made, text, tmp_path):
    at = [f"--folder={made / 'bert'}", f"--workdir={tmp_path / 'run'}", text, *TRAIN]
    alone = ("--config.loss.next_sentence=False", "--config.data.kind=sentence")
    assert main("from_hugging_face", *at, *alone) == 0
    assert "pooler" not in genjax.load(tmp_path / "run").state.params["heads"]


@pytest.mark.slow
def test_bert_of_a_folder_is_fine_tuned(made, tmp_path):
    rows = "the cat sat\tcat\nby the dog\tdog\n" * 20
    for name in ("train.tsv", "test.tsv"):
        (tmp_path / name).write_text(rows)
    workdir = tmp_path / "run"
    args = [
        f"--config={ROOT}/configs/sst2.py:bert", f"--workdir={workdir}", *TRAIN,
        f"--config.data.dir={tmp_path}", f"--config.start.workdir={made / 'runs' / 'bert'}",
        "--config.data.length=8", "--config.epochs=0", "--config.optimizer.encoder_lr_scale=0",
    ]  # fmt: skip
    assert main("train", *args) == 0
    model = genjax.load(workdir)
    assert model.config.data.tokenizer == "hugging_face"
    folder = genjax.load(made / "runs" / "bert").state.params["encoder"]
    for x, y in zip(*map(jax.tree.leaves, (folder, model.state.params["encoder"])), strict=True):
        np.testing.assert_array_equal(x, y)
    assert model.classify(["the cat sat"]).shape == (1, 2)
