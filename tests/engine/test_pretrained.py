"""Runs that go on from the networks of another run."""

import shutil

import jax
import numpy as np
import pytest

import genjax
from genjax.core.config import ConfigError
from genjax.engine import loop, pretrained
from tests.contracts import recipes
from tests.contracts.trees import assert_equal, leaves, member


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pretrained")


@pytest.fixture(scope="module")
def encoders(folder):
    """Two runs of BERT with their encoders, of which the second keeps an average."""
    found = {}
    for name, ema_decay in (("plain", 0.0), ("averaged", 0.9)):
        config = recipes.tiny("bert", folder, steps=3, ema_decay=ema_decay, data__lowercase=True)
        loop.train(loop.prepare(config), folder / name)
        state = genjax.load(folder / name).state
        found[name] = jax.device_get((state.ema or state.params)["encoder"])
    return found


@pytest.fixture
def prepare(folder, encoders):
    def prepare(workdir=None, other="plain", **changes):
        fields = {"pretrained__workdir": str(folder / other), "steps": 6, "chunk": 2}
        return loop.prepare(recipes.tiny("text_classifier", folder, **fields | changes), workdir)

    return prepare


def first_state(run):
    return run.executor.init(pretrained.networks(run.config, run.executor))


@pytest.mark.parametrize("other", ["plain", "averaged"])
def test_the_first_state_holds_the_trained_encoder_bit_for_bit(prepare, encoders, other):
    run = prepare(other=other, ema_decay=0.9)
    state = first_state(run)
    assert_equal(leaves(state.params["encoder"]), leaves(encoders[other]))
    assert_equal(leaves(state.ema), leaves(state.params))
    random = run.executor.init()
    assert_equal(leaves(state.params["head"]), leaves(random.params["head"]))
    assert jax.tree.structure(state) == jax.tree.structure(random)


@pytest.mark.parametrize(
    ("executor", "sharding"),
    [("vmap", "data"), ("sharded", "data"), ("sharded", "fsdp"), ("pmap", "data")],
)
def test_all_executors_begin_with_it(prepare, encoders, executor, sharding):
    seeds = 3 if executor == "vmap" else 1
    run = prepare(executor=executor, sharding=sharding, num_seeds=seeds)
    state = first_state(run)
    shapes = jax.tree.map(lambda x: (x.shape, x.dtype, x.sharding), state)
    assert shapes == jax.tree.map(lambda x: (x.shape, x.dtype, x.sharding), run.executor.init())
    params = jax.device_get(run.executor.to_checkpoint(state).params)
    encoder, expected = leaves(params["encoder"]), leaves(encoders["plain"])
    kernels = params["head"]["kernel"].reshape(seeds, -1)
    assert len(np.unique(kernels, axis=0)) == seeds
    for i in range(seeds):
        assert_equal(member(encoder, i) if executor == "vmap" else encoder, expected)
    state, metrics = run.executor.run(state, 0, 2)
    assert np.isfinite(metrics["loss"]).all()


def test_tokens_mean_what_they_meant_and_classes_are_those_of_the_data(prepare, folder):
    run, before = prepare(), genjax.load(folder / "plain").run
    assert run.dataset.codec.to_json() == before.dataset.codec.to_json()
    assert run.dataset.spec.num_classes == len(run.dataset.labels) > 1
    assert run.config.model.network == "bert"
    assert run.config.model.bert.num_layers == before.config.model.num_layers
    assert run.config.data.min_count == before.config.data.min_count


def test_a_run_goes_on_and_is_loaded_when_the_other_is_gone(prepare, folder, tmp_path):
    changes = {"other": "leaving", "checkpoint_every": 2, "optimizer__schedule": "constant"}
    shutil.copytree(folder / "plain", folder / "leaving")
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    loop.train(prepare(whole, **changes), whole)
    loop.train(prepare(parted, steps=4, **changes | {"steps": 4}), parted)
    shutil.rmtree(folder / "leaving")
    loop.train(prepare(parted, **changes), parted)
    model = genjax.load(parted)
    assert_equal(leaves(model.state), leaves(genjax.load(whole).state))
    assert model.classify(["the import statement"]).shape == (1, model.run.dataset.spec.num_classes)
    with pytest.raises(ConfigError, match=r"config.pretrained.workdir=.*leaving: no such folder"):
        prepare(**changes)


def test_a_fixed_encoder_is_the_other_runs_to_the_end(prepare, encoders):
    run = prepare(optimizer__encoder_factor=0.0, optimizer__weight_decay=0.1)
    state = first_state(run)
    head = np.asarray(state.params["head"]["kernel"])
    state, _ = run.executor.run(state, 0, 2)
    assert_equal(leaves(state.params["encoder"]), leaves(encoders["plain"]))
    assert (np.asarray(state.params["head"]["kernel"]) != head).any()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model__bert__num_layers": 3}, "config.model.bert.num_layers=3: is 2 in the run"),
        ({"data__tokenizer": "bpe"}, "config.data.tokenizer='bpe': is 'word' in the run"),
        ({"data__length": 20}, "config.data.length=20: must be below model.bert.max_length=18"),
        ({"data__name": "reverse"}, "config.data.name='reverse': must be sentences with labels"),
    ],
)
def test_what_contradicts_the_other_run_is_told_in_a_line(prepare, changes, told):
    with pytest.raises(ConfigError, match=told):
        prepare(**changes)


def test_a_population_is_no_single_encoder(prepare, folder):
    config = recipes.tiny("bert", folder, steps=1, executor="vmap", num_seeds=2)
    loop.train(loop.prepare(config), folder / "population")
    with pytest.raises(ConfigError, match=r"config.pretrained.workdir=.*is a population"):
        prepare(other="population")
