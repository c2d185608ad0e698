"""Runs that go on from the networks of another run."""

import jax
import numpy as np
import pytest

import genjax
from genjax.core.config import ConfigError
from genjax.engine import loop, start
from genjax.engine import run as runs
from tests.contracts import recipes
from tests.contracts.trees import assert_equal, leaves, member


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pretrained")


@pytest.fixture(scope="module")
def trained(folder):
    """A run of BERT that keeps an average, loaded."""
    config = recipes.tiny("bert", folder, steps=3, ema_decay=0.9, model__num_layers=1)
    loop.train(runs.prepare(config), folder / "bert")
    return genjax.load(folder / "bert")


@pytest.fixture
def encoder(trained):
    assert (trained.state.ema["encoder"]["types"] != trained.state.params["encoder"]["types"]).any()
    return leaves(trained.state.ema["encoder"])


@pytest.fixture
def prepare(folder, trained):
    def prepare(workdir=None, other="bert", recipe="text_classifier", **changes):
        fields = {"start__workdir": str(folder / other), "steps": 6, "chunk": 2}
        return runs.prepare(recipes.tiny(recipe, folder, **fields | changes), workdir)

    return prepare


def first_state(run):
    return run.executor.init(start.begin(run.config, run.executor, run.total_steps).leaves)


@pytest.mark.slow
def test_the_first_state_holds_the_trained_encoder_bit_for_bit(prepare, encoder):
    run = prepare(ema_decay=0.9)
    state = first_state(run)
    assert_equal(leaves(state.params["encoder"]), encoder)
    assert_equal(leaves(state.ema), leaves(state.params))
    random = run.executor.init()
    assert_equal(leaves(state.params["head"]), leaves(random.params["head"]))
    assert jax.tree.structure(state) == jax.tree.structure(random)


@pytest.mark.parametrize(
    ("executor", "sharding"),
    [("vmap", "data"), ("sharded", "data"), ("sharded", "fsdp"), ("pmap", "data")],
)
def test_all_executors_begin_with_it(prepare, encoder, executor, sharding):
    seeds = 3 if executor == "vmap" else 1
    run = prepare(executor=executor, sharding=sharding, num_seeds=seeds)
    state = first_state(run)
    saved = run.executor.to_checkpoint(state)
    placed = jax.tree.map(
        lambda x: (x.shape, x.dtype, x.sharding), (saved, run.executor.template())
    )
    assert placed[0] == placed[1]
    params = jax.device_get(saved.params)
    found = leaves(params["encoder"])
    kernels = params["head"]["kernel"].reshape(seeds, -1)
    assert len(np.unique(kernels, axis=0)) == seeds
    for i in range(seeds):
        assert_equal(member(found, i) if executor == "vmap" else found, encoder)


def test_tokens_mean_what_they_meant_and_classes_are_those_of_the_data(prepare, trained):
    run, before = prepare(), trained.run
    assert run.dataset.codec.to_json() == before.dataset.codec.to_json()
    assert run.dataset.spec.num_classes == len(run.dataset.labels) > 1
    assert run.config.model.network == "bert"
    assert run.config.model.bert.num_layers == before.config.model.num_layers
    assert not run.config.data.lowercase  # which is the family's default


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__bert__num_layers": 3}, "config.model.bert.num_layers=3: is 1 in the run"),
        ({"data__tokenizer": "bpe"}, "config.data.tokenizer='bpe': is 'word' in the run"),
        ({"data__length": 20}, "config.data.length=20: must be below model.bert.max_length=18"),
        (
            {"data__name": "reverse"},
            "config.data.name='reverse': must be sentences or pictures with labels",
        ),
    ],
)
def test_what_contradicts_the_other_run_is_told_in_a_line(prepare, changes, message):
    with pytest.raises(ConfigError, match=message):
        prepare(**changes)


def test_a_tagger_reads_words_by_the_encoder_of_words(prepare, trained, encoder):
    run = prepare(recipe="tagger")
    assert_equal(leaves(first_state(run).params["encoder"]), encoder)
    assert run.dataset.codec.tokens == trained.run.dataset.codec.tokens
    assert len(run.dataset.codec.encode("it's a word.")) == 3  # as many as there are tags
