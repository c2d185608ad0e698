"""An exported step is the family's step, in a file, for the platform it is made for."""

import json

import jax
import numpy as np
import pytest
from jax import export

import genjax
from genjax.core.config import ConfigError
from genjax.engine import exporting
from genjax.engine.leaves import is_key, leaves_of
from genjax.engine.run import prepare

CONV = {"batch_size": 8, "model.critic_channels": (4, 8), "model.generator_channels": (4, 8)}


def stored(state):
    leaves = leaves_of(state).items()
    return {n: jax.random.key_data(x) if is_key(x) else x for n, x in leaves}


def test_it_makes_the_step_of_the_family():
    config = genjax.recipe("wgan_gp", batch_size=8)
    run = prepare(config)
    shapes, of_batch = exporting.shapes(run)
    batch = jax.tree.map(lambda s: np.ones(s.shape, s.dtype), of_batch)
    state = jax.jit(run.family.init)(jax.random.key(0))
    expected = stored(jax.jit(run.family.step)(state, batch)[0])
    kept = genjax.export(config, ["cpu"])["cpu"].serialize()
    found, metrics = export.deserialize(kept).call(stored(state), batch)
    assert shapes.keys() == found.keys()
    for name in found:
        np.testing.assert_array_equal(found[name], expected[name])
    assert np.isfinite(metrics["critic_loss"])


def test_each_platform_has_what_it_wants():
    made = genjax.export(genjax.recipe("dcgan", **CONV), ["cpu", "cuda", "tpu"])
    has = {p: "stablehlo.convolution" in e.mlir_module() for p, e in made.items()}
    assert has == {"cpu": False, "cuda": True, "tpu": True}


def test_a_platform_that_there_is_not():
    with pytest.raises(ConfigError, match="platforms='gpu': must be of cpu, cuda, rocm, tpu"):
        genjax.export(genjax.recipe("wgan_gp"), ["gpu"])


def test_it_has_the_precision_and_the_skipping_of_the_run():
    config = genjax.recipe("autoencoder", matmul_precision="highest", on_divergence="skip")
    made = genjax.export(config, ["cuda"])["cuda"]
    products = [line for line in made.mlir_module().splitlines() if "stablehlo.dot_general" in line]
    assert products and all("HIGHEST" in line for line in products)
    metrics = jax.tree.unflatten(made.out_tree, made.out_avals)[1]
    assert "skipped" in metrics


def test_a_run_on_devices_that_are_not_here_is_exported(tmp_path):
    config = genjax.recipe("autoencoder", steps=1, batch_size=8)
    genjax.train(config, tmp_path)
    path = tmp_path / "config.json"
    record = json.loads(path.read_text())
    record["config"] |= {"executor": "sharded", "mesh": "data:64"}
    path.write_text(json.dumps(record))
    one, many = (genjax.export(of, ["cuda"])["cuda"].mlir_module() for of in (config, tmp_path))
    assert _without_places(one) == _without_places(many)


def _without_places(module):
    """The program without the lines of source that its parts are of."""
    lines = (line.partition(" loc(")[0] for line in module.splitlines())
    return [line for line in lines if not line.startswith("#loc")]
