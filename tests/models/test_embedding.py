"""Tokens and places as vectors: what the papers' formulas say, and the same by any lookup."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.models import embedding
from genjax.models.embedding import Embedding, lookup, rotate, rotations, sinusoidal_positions


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_small_and_large_vocabularies_are_looked_up_alike(dtype, monkeypatch):
    rng = np.random.default_rng(0)
    table = jnp.asarray(rng.normal(size=(11, 3)), dtype)
    ids, weight = rng.integers(0, 11, (4, 5)), rng.normal(size=(4, 5, 3))

    def value(table):
        rows = lookup(table, ids)
        return (weight * rows).sum(), rows

    gradient, rows = jax.grad(value, has_aux=True)(table)
    np.testing.assert_array_equal(rows, table[ids])
    monkeypatch.setattr(embedding, "_SMALL_VOCABULARY", 0)
    expected, same = jax.grad(value, has_aux=True)(table)
    np.testing.assert_array_equal(rows, same)
    tolerance = 1e-5 if dtype == jnp.float32 else 0.05
    np.testing.assert_allclose(
        *(jnp.asarray(g, jnp.float32) for g in (gradient, expected)), rtol=tolerance, atol=tolerance
    )


def test_sinusoids_are_those_of_the_paper():
    positions, width = np.array([[0, 1, 7], [3, 500, 9]]), 6
    expected = np.zeros((2, 3, width))
    for i in range(width // 2):
        angle = positions / 10_000 ** (2 * i / width)
        expected[..., 2 * i], expected[..., 2 * i + 1] = np.sin(angle), np.cos(angle)
    found = sinusoidal_positions(jnp.asarray(positions), width)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_rotated_features_keep_their_length_and_tell_distances():
    rng = np.random.default_rng(0)
    query, key = (jnp.asarray(rng.normal(size=(1, 1, 1, 8)), jnp.float32) for _ in range(2))

    def product(i, j):
        turned = [
            rotate(x, rotations(jnp.array([[place]]), 8)) for x, place in ((query, i), (key, j))
        ]
        return float((turned[0] * turned[1]).sum())

    assert product(0, 0) == pytest.approx(float((query * key).sum()), rel=1e-5)
    assert product(9, 4) == pytest.approx(product(25, 20), rel=1e-4)
    assert abs(product(9, 4) - product(9, 5)) > 1e-3
    turned = rotate(query, rotations(jnp.array([[123]]), 8))
    np.testing.assert_allclose(jnp.linalg.norm(turned), jnp.linalg.norm(query), rtol=1e-5)


@pytest.mark.parametrize("positions", embedding.POSITIONS)
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
