"""A run keeps what turned its texts into tokens, whatever becomes of them."""

import pytest

import genjax
from genjax.engine import loop
from genjax.engine.run import prepare
from tests.contracts import recipes


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("abcdefgh\n" * 40)
    return lambda **changes: recipes.tiny(
        "rnn_lm", tmp_path, data__name=f"text:{path}", optimizer__schedule="constant", **changes
    )


@pytest.mark.slow
def test_a_run_goes_on_and_is_loaded_with_its_own_tokens(config, tmp_path):
    workdir = tmp_path / "run"
    loop.train(prepare(config(steps=2), workdir), workdir)
    before = genjax.load(workdir)
    kept = (workdir / "tokenizer" / "vocabulary.json").read_bytes()
    assert before.run.dataset.codec.tokens == list("\nabcdefgh")

    (tmp_path / "text.txt").write_text("hgfedcba xyz\n" * 40)
    after = genjax.load(workdir)
    assert after.run.dataset.codec.tokens == before.run.dataset.codec.tokens
    assert (after.sample(4) == before.sample(4)).all()
    # Another vocabulary would not fit its embeddings.
    summary = loop.train(prepare(config(steps=4), workdir), workdir)
    assert summary.step == 4
    assert (workdir / "tokenizer" / "vocabulary.json").read_bytes() == kept


def test_data_that_are_no_texts_leave_no_vocabulary(tmp_path):
    run = prepare(recipes.tiny("autoencoder", tmp_path, steps=2))
    loop.train(run, tmp_path / "run")
    assert not (tmp_path / "run" / "tokenizer").exists()
