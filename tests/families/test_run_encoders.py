"""Classifiers on the encoder of another run: what that run's features are, as vectors."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import genjax
from genjax.core.config import ConfigError
from genjax.engine import loop
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.opening import check
from genjax.engine.run import prepare
from genjax.families import classifier
from genjax.models.pictures import tiled
from tests.contracts import recipes
from tests.contracts.trees import assert_equal, leaves
from tests.families.small import NAMES, small

RUNS = {
    "convolutions": ("autoencoder", {"model__network": "conv"}),
    "stack": ("stacked_autoencoder+labels+stages+ema", {}),
    "vae": ("vae", {}),
    "conditional": ("vae", {"model__conditional": True}),
    "m2": ("semi_supervised_vae", {}),
    "critic": ("wgan_gp", {}),
    "spectral": ("hinge_gan", {"model__network": "conv"}),
    "flow": ("flow_matching+mlp+conditional", {}),
}


def begun(recipe, changes, **model):
    """A classifier on the encoder of a small family, that family, its state, and examples."""
    family, state, batch = small(recipe, **changes)
    other = recipes.tiny(recipe, recipes.NOWHERE, **(NAMES.get(recipe, {}) | changes))
    c = classifier.picture_config()
    c.update({"steps": 1, "batch_size": 4})
    c.model.update({"network": "run", **model})
    c.start.workdir = "elsewhere"
    c.update_from_flattened_dict(classifier.adopt(c, other))
    x = batch["x"].reshape(-1, *family.spec.shape)[:4]
    return classifier.build(c, family.spec, 1), family, state, x


@pytest.mark.parametrize("name", RUNS)
def test_its_vectors_are_the_features_of_the_run(name):
    ours, family, theirs, x = begun(*RUNS[name], tiles=2)
    first = ours.init(jax.random.key(0))
    own = first.params["encoder"]
    averaged = theirs.eval_params
    params = first.params | {"encoder": {n: averaged[n] for n in own}}
    rest = jax.tree.map(lambda v: v, first.variables)
    for kind, networks in rest.get("encoder", {}).items():
        rest["encoder"][kind] = {n: theirs.variables[n][kind] for n in networks}
    assert jax.tree.map(jnp.shape, first.params) == jax.tree.map(jnp.shape, params)
    assert ("spectral" in rest.get("encoder", {})) == (name == "spectral")
    found = ours.encode(first.replace(params=params, variables=rest), x)
    if name == "conditional":  # the mean over the classes that it may be of
        each = [family.features(theirs, x, jnp.full(4, c)) for c in range(3)]
        layers = {n: np.mean([layer[n] for layer in each], 0) for n in each[0]}
    else:
        layers = family.features(theirs, x)
    expected = [*layers.values()][-1]
    expected = tiled(expected, 2) if expected.ndim == 4 else expected
    np.testing.assert_allclose(found, expected.reshape(4, -1), rtol=1e-4, atol=1e-5)
    # What of the run makes no features, as a decoder, is left behind.
    assert not {"decoder", "generator"} & own.keys()


def test_tiles_are_means_of_pixels_and_overlap_where_they_must():
    h = np.random.default_rng(0).normal(size=(2, 7, 4, 3)).astype(np.float32)
    found = tiled(jnp.asarray(h), 4)
    assert found.shape == (2, 4, 4, 3)
    np.testing.assert_allclose(found[:, 1, 2], h[:, 1:4, 2].mean(1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(tiled(jnp.asarray(h), 9), h, rtol=1e-6)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a tiny autoencoder that keeps averages."""
    folder = tmp_path_factory.mktemp("run")
    config = recipes.tiny("autoencoder", folder, steps=4, log_every=4, ema_decay=0.5)
    loop.train(prepare(config), folder / "run")
    return folder / "run"


def on(run, folder, workdir=None, **changes):
    """A tiny classifier on the encoder of the run."""
    fields = {"model__network": "run", "start__workdir": str(run), "data__num_labeled": 100}
    config = recipes.tiny("classifier", folder, steps=4, optimizer__schedule="constant").unlock()
    given = {name.replace("__", "."): value for name, value in (fields | changes).items()}
    config.update_from_flattened_dict(given)
    return prepare(config.lock(), workdir)


def last(prepared, workdir):
    return leaves(Checkpoints(workdir / "checkpoints").restore(prepared.executor.template())[1])


def test_a_run_begins_with_the_features_of_another_and_needs_it_no_more(run, tmp_path):
    x = np.random.default_rng(0).uniform(size=(5, 8, 8, 1)).astype(np.float32)
    expected = genjax.load(run).features(x)
    frozen = on(run, tmp_path, optimizer__encoder_lr_scale=0.0)
    assert frozen.config.start.networks == ("=encoder",)
    loop.train(frozen, tmp_path / "frozen")
    found = genjax.load(tmp_path / "frozen")
    np.testing.assert_array_equal(found.encode(x), expected["encoder.code"])

    whole, other = on(run, tmp_path), shutil.copytree(run, tmp_path / "other")
    loop.train(whole, tmp_path / "whole")
    fields = {"start__workdir": str(other)}
    loop.train(on(run, tmp_path, steps=2, **fields), tmp_path / "half")
    shutil.rmtree(other)
    second = on(run, tmp_path, tmp_path / "half", **fields)
    loop.train(second, tmp_path / "half")
    assert_equal(last(second, tmp_path / "half"), last(whole, tmp_path / "whole"))
    assert (genjax.load(tmp_path / "half").encode(x) != expected["encoder.code"]).any()

    # Of a classifier on a run another one may take a layer, or the whole state.
    nested = on(tmp_path / "whole", tmp_path, model__layer="encoder.0")
    assert json.loads(nested.config.model.run)["model"]["network"] == "run"
    goes_on = on(tmp_path / "whole", tmp_path, steps=6, start__what="state")
    assert goes_on.config.model.run == whole.config.model.run


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start__workdir": ""}, "model.network='run': needs the run whose encoder it is"),
        ({"model__layer": "critic.0"}, "model.layer='critic.0': the run has no such layer; there"),
        ({"start__what": "state"}, "start.what='state': goes on with a classifier of"),
        ({"model__run": "{"}, "model.run='{': is '{\"family\": "),
        ({"start__workdir": "", "model__run": "[1]"}, "model.run='.1.': its networks cannot be"),
        (
            {"start__workdir": "", "model__run": '{"family": "gan", "model": {"pack": 2}}'},
            "model.run=.*: has a critic that judges several examples as one",
        ),
        (
            {"start__workdir": "", "model__run": '{"family": "/tmp/own"}'},
            "model.run=.*: its networks cannot be built for these data: config.family='/tmp/own'",
        ),
        ({"data__image_size": 16}, "start.workdir=.*encoder/encoder/Dense_0/kernel is float32"),
    ],
)
def test_runs_that_cannot_serve_are_refused_in_a_line(run, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=f"^config.{message}") as error:
        check(on(run, tmp_path, **changes), tmp_path / "new")
    assert "\n" not in str(error.value) and not (tmp_path / "new").exists()
