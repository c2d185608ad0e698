"""Encoders of texts that other families take over: what they compute, what learns, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data
from genjax.core.config import ConfigError
from genjax.engine import run as runs
from genjax.engine import start
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.workdir import open_workdir
from tests.contracts import recipes
from tests.families.compiled import compiled

WORDS = {"data__tokenizer": "word", "data__min_count": 1, "data__length": 12}
SENTENCES = {"data__kind": "sentence"} | WORDS | {"data__length": 13}
# recipe, its changes, and where a word stands in the run's features: a GPT's are what predicts it
RUNS = {
    "gpt": ("gpt", SENTENCES, 1),
    "elmo": ("elmo", WORDS, 0),
    "elmo of sentences": ("elmo", SENTENCES, 0),
    "gru": ("gru_lm", WORDS, 0),
}


def prepare(folder, recipe, **changes):
    return runs.prepare(recipes.tiny(recipe, folder, **changes))


def untrained(folder, recipe, **changes):
    """A run at step 0, as the importer of Hugging Face's folders makes one, and its state."""
    run = prepare(folder, recipe, **changes)
    state = run.executor.init()
    path = open_workdir(folder / "run", run.config, run.dataset)
    data.save(run.dataset, path / data.TOKENIZER)
    Checkpoints(path / "checkpoints").save(0, state, wait=True)
    return path, run, state


def begun(folder, recipe, path, **changes):
    run = prepare(folder, recipe, start__workdir=str(path), data__length=12, **changes)
    found = start.begin(run.config, run.executor, run.total_steps)
    return run, run.executor.to_checkpoint(run.executor.init(found.leaves))


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("gpt", "text_classifier"),
        pytest.param("elmo", "tagger", marks=pytest.mark.slow),
        pytest.param("gru", "text_classifier", marks=pytest.mark.slow),
        pytest.param("elmo of sentences", "text_classifier", marks=pytest.mark.slow),
    ],
)
def test_a_started_encoder_computes_what_the_run_does(name, recipe, tmp_path):
    other, changes, at = RUNS[name]
    path, before, state = untrained(tmp_path, other, **changes)
    changes = {"model__char_filters": 0} if recipe == "tagger" else {"model__pooling": "mean"}
    run, new = begun(tmp_path, recipe, path, model__mix=other in ("gpt", "elmo"), **changes)
    x = jnp.array([[9, 8, 7, 9, 2, 0], [11, 7, 2, 0, 0, 0]])
    here = compiled(run.executor.family).features(new, x)
    there = compiled(before.executor.family).features(state, x)
    there = {n: h for n, h in there.items() if n != "bilm.mix"}
    layers = [h for n, h in here.items() if n.startswith("encoder.") and n != "encoder.code"]
    assert len(layers) == len(there) >= 2
    for ours, theirs in zip(layers, there.values()):
        for row, words in enumerate((5 - at, 3 - at)):  # what stands at padding means nothing
            np.testing.assert_allclose(
                ours[row, :words], theirs[row, at : at + words], rtol=1e-4, atol=1e-5
            )


def test_a_run_of_word2vec_gives_its_vectors(tmp_path):
    path, _, state = untrained(tmp_path, "word2vec_skipgram", data__min_count=1)
    for recipe, table in (("text_classifier", "encoder"), ("tagger", "scorer")):
        network = {"model__network": "bag"} if recipe == "text_classifier" else {}
        run, new = begun(tmp_path, recipe, path, **network)
        np.testing.assert_array_equal(new.params[table]["words"]["tokens"], state.params["input"])
        assert run.config.model.embed_dim == state.params["input"].shape[1]


def test_runs_that_do_not_fit_are_refused_in_a_line(tmp_path):
    path, *_ = untrained(tmp_path, "gpt", data__tokenizer="char")
    with pytest.raises(ConfigError, match=r"start.workdir=.*: is a run of char tokens; must be"):
        begun(tmp_path, "tagger", path)
    with pytest.raises(ConfigError, match=r"model.gpt.num_heads=8: is 4 in the run"):
        begun(tmp_path, "text_classifier", path, model__gpt__num_heads=8, model__pooling="last")
    with pytest.raises(ConfigError, match=r"data.length=17: must be below .*max_length=16"):
        prepare(
            tmp_path, "text_classifier", start__workdir=str(path), data__length=17,
            model__pooling="last",
        )  # fmt: skip


def test_a_decoder_on_a_started_encoder_reads_what_the_run_computes(tmp_path):
    for name, line in {"source": "ein Hund", "target": "a dog"}.items():
        (tmp_path / name).write_text(f"{line}\n" * 20)
    fields = {"data__tokenizer": "word", "data__kind": "sentence", "data__min_count": 1}
    path, before, state = untrained(tmp_path, "bert", **fields)
    pairs = {"data__name": f"pairs:{tmp_path / 'source'},{tmp_path / 'target'}"}
    run, new = begun(tmp_path, "transformer", path, **pairs)
    family, x = run.executor.family, jnp.array([[9, 8, 7, 9, 2, 0]])
    [*_, top] = jax.jit(family.features)(new, x).values()
    expected = jax.jit(before.executor.family.embed)(state, x)
    np.testing.assert_allclose(top[:, :5], expected[:, :5], rtol=1e-4, atol=1e-5)
    assert run.config.model.bert.width == run.config.model.width == 16
    with pytest.raises(ConfigError, match=r"model.width=32: is 16 in the run"):
        begun(tmp_path, "transformer", path, model__width=32, **pairs)
    there, here = r"float32\[300,16\] there", r"float32\[15,16\] here"
    with pytest.raises(ConfigError, match=f"network/bert/embedding/tokens is {there} and {here}"):
        begun(tmp_path, "transformer", path)  # digits and their reverse have tokens of their own
