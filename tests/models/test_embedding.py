"""Tokens to vectors with their places, and vectors to logits by the same table."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.models.embedding import POSITIONS, Embedding


@pytest.mark.parametrize("positions", POSITIONS)
def test_positions_count_from_0_unless_they_are_given(positions):
    network = Embedding(9, 4, positions, max_length=6)
    ids = jnp.array([[5, 5, 7], [7, 5, 5]])
    variables = network.init(jax.random.key(0), ids)
    x = network.apply(variables, ids)
    given = network.apply(variables, ids, jnp.broadcast_to(jnp.arange(3), (2, 3)))
    np.testing.assert_allclose(x, given, atol=1e-7)
    reset = network.apply(variables, ids, jnp.array([[0, 1, 2], [0, 0, 1]]))
    np.testing.assert_array_equal(reset[0], x[0])
    added = positions in ("learned", "sinusoidal")
    assert (jnp.abs(x[0, 0] - x[0, 1]).max() > 1e-4) == added
    np.testing.assert_allclose(reset[1, 1] - reset[1, 2] != 0, added)


def test_logits_are_products_with_the_tokens_vectors():
    network = Embedding(9, 4, scale=3.0, dtype=jnp.bfloat16)
    ids = jnp.array([[5, 7]])
    variables = network.init(jax.random.key(0), ids)
    table = variables["params"]["tokens"]
    x = network.apply(variables, ids)
    assert x.dtype == jnp.bfloat16 and table.dtype == jnp.float32
    np.testing.assert_allclose(jnp.asarray(x, jnp.float32), 3 * table[ids], rtol=0.01)
    logits = network.apply(variables, x, method="logits")
    assert logits.dtype == jnp.float32 and logits.shape == (1, 2, 9)
    np.testing.assert_allclose(logits, jnp.asarray(x, jnp.float32) @ table.T, rtol=0.02, atol=1e-5)
