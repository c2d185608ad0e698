"""Tokens and places as vectors: what the papers' formulas say, and the same by any lookup."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.ops import embedding
from genjax.ops.embedding import lookup, rotate, rotations, sinusoidal_positions
from tests.ops.agree import assert_agree, draw


@pytest.mark.parametrize("smallest", [0, 512], ids=["gathered", "multiplied"])
def test_rows_are_looked_up(smallest, monkeypatch):
    monkeypatch.setattr(embedding, "_SMALL_VOCABULARY", smallest)
    table, ids = draw(11, 3), np.random.default_rng(0).integers(0, 11, (4, 5))
    assert_agree(lambda t: lookup(t, ids), lambda t: jnp.asarray(t)[ids], table)
    low = jnp.bfloat16(table)
    np.testing.assert_array_equal(lookup(low, ids), low[ids])


def test_sinusoids_are_those_of_the_paper():
    positions, width = np.array([[0, 1, 7], [3, 500, 9]]), 6
    expected = np.zeros((2, 3, width))
    for i in range(width // 2):
        angle = positions / 10_000 ** (2 * i / width)
        expected[..., 2 * i], expected[..., 2 * i + 1] = np.sin(angle), np.cos(angle)
    found = sinusoidal_positions(jnp.asarray(positions), width)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_features_are_rotated_as_complex_numbers():
    """Su et al. 2021: x_m e^{i m theta}, the halves of x as real and imaginary parts."""
    x, positions = draw(2, 3, 4, 8), np.array([[0, 1, 5, 9], [3, 2, 1, 0]])

    def plain(x):
        turn = positions[:, None, :, None] * 10_000.0 ** (-np.arange(4) / 4)
        turned = (x[..., :4] + 1j * x[..., 4:]) * np.exp(1j * turn)
        return np.concatenate([turned.real, turned.imag], -1)

    rope = rotations(jnp.asarray(positions), 8)
    np.testing.assert_allclose(rotate(jnp.asarray(x), rope), plain(x), rtol=1e-5, atol=1e-6)
    products = jax.vmap(lambda m: rotate(x, rotations(jnp.asarray(positions + m), 8)))(np.arange(2))
    scores = jnp.einsum("mbhqd,mbhkd->mbhqk", products, products)
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)  # distances alone count


def test_ids_that_are_none_are_refused():
    with pytest.raises(ValueError, match="ids: must hold integers, not float64"):
        lookup(draw(4, 3), np.ones(2))
    with pytest.raises(ValueError, match="ids: has -1; must be"):
        lookup(draw(4, 3), np.array([0, -1]))
