"""Sentences that others stand for in training: written once, kept, and the same after a resume."""

import shutil

import jax
import numpy as np
import pytest

import genjax
from genjax.core.augmenting import VARIANTS
from genjax.core.config import ConfigError
from genjax.engine import loop
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.run import prepare
from genjax.generation import PLAIN
from tests.contracts import recipes
from tests.contracts.trees import assert_equal, leaves

BAG = {
    "model__network": "bag", "model__word_dropout": 0.0, "data__num_labeled": 100,
    "optimizer__schedule": "constant",
}  # fmt: skip


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    """A run of a text autoencoder that has begun to learn."""
    folder = tmp_path_factory.mktemp("writer")
    config = recipes.tiny("text_vae", folder, steps=2, checkpoint_every=1)
    loop.train(prepare(config), folder / "run")
    return folder / "run"


@pytest.fixture
def augmented(writer):
    """`augmented(…)` is the config of a classifier that learns from its variants."""

    def config(workdir=writer, **changes):
        usual = BAG | {"steps": 4, "augment__workdir": str(workdir)}
        usual |= {"augment__variants": 2} if workdir else {}
        return recipes.tiny("text_classifier", writer.parent, **usual | changes)

    return config


def first_batch(run):
    source = run.dataset.train
    return jax.jit(source.fetch)(source.arrays, np.arange(16))


def test_variants_are_what_the_autoencoder_writes_and_take_the_place_of_sentences(
    augmented, writer
):
    run = prepare(augmented(augment__rate=0.5))
    x, variants = (run.dataset.train.arrays[n] for n in ("x", VARIANTS))
    assert variants.shape == (100, 2, 16) and variants.dtype == x.dtype
    model = genjax.load(writer)
    key = jax.random.fold_in(jax.random.split(jax.random.key(0), 2)[1], 0)
    rows = np.pad(x.astype(np.int32), [(0, 100), (0, 0)])
    augment = jax.jit(model.family.augment, static_argnums=3)
    np.testing.assert_array_equal(variants[:, 1], augment(model.state, key, rows, PLAIN)[:100])

    state, batch = run.executor.init(), first_batch(run)
    seen = np.zeros(3)
    for step in range(30):
        changed = run.family.sentence_inputs(state.replace(step=step), batch)
        choices = np.concatenate([batch[VARIANTS], batch["x"][:, None]], 1)
        same = (np.asarray(changed)[:, None] == choices).all(-1)
        assert same.any(1).all()
        seen += same.sum(0)
    assert (np.abs(seen / 480 - [0.25, 0.25, 0.5]) < 0.1).all()
    assert (
        run.family.sentence_inputs(state, {"x": batch["x"]}) == batch["x"]
    ).all()  # nothing written


def final(run, workdir):
    return leaves(Checkpoints(workdir / "checkpoints").restore(run.executor.template())[1])


def test_a_run_is_resumed_and_used_without_its_autoencoder(augmented, writer, tmp_path):
    shutil.copytree(writer, tmp_path / "writer")
    short, whole = (augmented(tmp_path / "writer", steps=n) for n in (2, 4))
    loop.train(prepare(whole), tmp_path / "whole")
    loop.train(prepare(short), tmp_path / "run")
    shutil.rmtree(tmp_path / "writer")
    run = prepare(whole, tmp_path / "run")
    assert loop.train(run, tmp_path / "run").first_step == 2
    assert_equal(final(run, tmp_path / "run"), final(run, tmp_path / "whole"))
    assert "accuracy" in genjax.load(tmp_path / "run").evaluate()


def test_noise_changes_words_in_training_alone(augmented):
    run = prepare(augmented("", augment__mask=0.5, augment__swap=2))
    assert VARIANTS not in run.dataset.train.arrays
    state, batch = run.executor.init(), first_batch(run)
    rows, _ = run.family.inputs(state, batch)
    assert (rows["x"] != batch["x"]).any() and (rows["label"] == batch["label"]).all()


@pytest.mark.parametrize(
    ("recipe", "changes", "message"),
    [
        ("classifier", {"augment__drop": 0.1}, r"augment.drop=0.1: is for sentences"),
        ("text_classifier", {"data__length": 12}, r"augment.workdir.*rows of 16, here 12"),
        ("text_classifier", {"augment__variants": 0}, r"augment.variants=0"),
    ],
)
def test_mistakes_are_refused_by_name(writer, recipe, changes, message):
    given = {"augment__workdir": str(writer)} if recipe != "classifier" else {}
    with pytest.raises(ConfigError, match=message):
        prepare(recipes.tiny(recipe, writer.parent, **given | changes))


def test_a_run_of_another_family_writes_nothing(augmented, tmp_path):
    loop.train(prepare(recipes.tiny("text_classifier", tmp_path, steps=1, **BAG)), tmp_path / "a")
    with pytest.raises(ConfigError, match=r"family classifier, which writes no like sentences"):
        prepare(augmented(tmp_path / "a"))
