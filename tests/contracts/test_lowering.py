"""Every recipe becomes a program for a GPU and a TPU that are not there, with what they want in it.

Lowering needs no compiler of theirs: it is what XLA is given. What comes out of it stands in
benchmarks/compile/RESULTS.md.
"""

import re

import pytest

from genjax.engine.run import prepare
from tests.contracts import recipes

PLATFORMS = ("cuda", "tpu")
_FLOAT64 = re.compile(r"tensor<(?:\d+x)*f64>")
# Of products whose operands are float32 in a program of bfloat16.
_WIDE = re.compile(r"stablehlo\.(?:dot_general|convolution)\b.*: \(tensor<[^>]*f32>, ")


def lowered(config, platform):
    return prepare(config).executor.lower(platform).as_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", recipes.different())
def test_a_recipe_lowers(name, tmp_path):
    config = recipes.tiny(name, tmp_path)
    for platform in PLATFORMS:
        text = lowered(config, platform)
        assert not _FLOAT64.search(text)
        assert "callback" not in text
        network = config.model.get("network", "") if "model" in config else ""
        if network in ("conv", "resnet", "r3gan", "unet"):
            assert "stablehlo.convolution" in text
            assert "stablehlo.convolution" not in lowered(config, "cpu")


@pytest.mark.parametrize("executor", ["scan", "vmap", "sharded", "pmap"])
def test_an_executor_lowers(executor, tmp_path):
    members = {"num_seeds": 3} if executor == "vmap" else {}
    config = recipes.tiny("dcgan", tmp_path, executor=executor, **members)
    for platform in PLATFORMS:
        assert "stablehlo.convolution" in lowered(config, platform)


def test_only_a_cpu_reads_the_length_of_a_chunk(tmp_path):
    """Elsewhere the host would wait for each round's condition: full chunks have a known length."""
    config = recipes.tiny("autoencoder", tmp_path, chunk=7)
    conditions = {p: lowered(config, p) for p in ("cpu", *PLATFORMS)}
    known = re.compile(r"cond \{[^}]*dense<7> : tensor<i32>", re.S)
    assert [p for p, text in conditions.items() if known.search(text)] == list(PLATFORMS)


@pytest.mark.parametrize(
    ("fields", "platform", "found"),
    [
        ({}, "cuda", {"DEFAULT"}),
        ({}, "tpu", {"DEFAULT", "HIGH"}),
        ({"loss.penalty_precision": "highest"}, "cuda", {"DEFAULT", "HIGHEST"}),
        ({"matmul_precision": "highest"}, "tpu", {"HIGHEST"}),
    ],
)
def test_precision_of_products_and_of_the_penalty(fields, platform, found, tmp_path):
    text = lowered(recipes.tiny("wgan_gp", tmp_path, **fields), platform)
    assert set(re.findall(r"dot_general.*precision = \[(\w+), ", text)) == found


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["gpt", "bert", "transformer", "seq2seq_attention", "lstm_lm", "wgan_gp_fashion", "vae"]
)
def test_products_of_bfloat16_are_no_wider(name, tmp_path):
    text = lowered(recipes.tiny(name, tmp_path, precision="bfloat16"), "cuda")
    assert not _WIDE.search(text)
