"""Parameters and outputs of the convolutions are those of Flax's own, with every lowering."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.models.conv import Conv, ConvTranspose
from genjax.ops.conv import LOWERINGS

PAIRS = [(Conv, nn.Conv), (ConvTranspose, nn.ConvTranspose)]
X = np.random.default_rng(0).normal(size=(2, 7, 6, 3)).astype(np.float32)


@pytest.mark.parametrize("pair", PAIRS, ids=["conv", "transpose"])
@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("use_bias", [True, False])
def test_parameters_and_outputs_are_those_of_flax(pair, lowering, use_bias):
    ours, flax_class = pair
    stock = flax_class(4, (3, 2), (2, 2), padding="VALID", use_bias=use_bias)
    expected = stock.init(jax.random.key(3), X)
    options = {"padding": "VALID", "use_bias": use_bias, "lowering": lowering}
    for last, x in ((False, X), (True, X.transpose(3, 1, 2, 0))):
        module = ours(4, (3, 2), (2, 2), batch_last=last, **options)
        variables = module.init(jax.random.key(3), x)
        assert jax.tree.structure(variables) == jax.tree.structure(expected)
        jax.tree.map(np.testing.assert_array_equal, variables, expected)
        variables = jax.tree.map(lambda p: p + 0.1, variables)  # with a bias
        y = module.apply(variables, x)
        y = y.transpose(3, 1, 2, 0) if last else y
        np.testing.assert_allclose(y, stock.apply(variables, X), rtol=1e-5, atol=1e-5)


def test_bfloat16_computes_and_keeps_float32_parameters():
    for ours, _ in PAIRS:
        module = ours(4, (3, 3), lowering="matmul", dtype=jnp.bfloat16)
        variables = module.init(jax.random.key(0), X)
        assert {p.dtype for p in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
        assert module.apply(variables, X).dtype == jnp.bfloat16


def test_an_unknown_lowering_is_refused():
    with pytest.raises(ValueError, match="lowering='winograd': must be one of auto, matmul, stock"):
        Conv(4, lowering="winograd").init(jax.random.key(0), X)
