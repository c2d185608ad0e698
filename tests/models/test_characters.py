"""Words from characters: what is padding and what is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.models.characters import CharacterCNN

CHARS = jnp.array([[5, 6, 7, 8, 0, 0], [9, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])


def module(**fields):
    return CharacterCNN(**{"vocab_size": 12, "embed_dim": 3, "filters": ((1, 2), (3, 4)), **fields})


def by_hand(params, word, filters):
    """One word's vector: every window of its characters, zeros around it."""
    table = np.asarray(params["embedding"]["tokens"], np.float64)
    found = []
    for width, _ in filters:
        dense = params[f"width_{width}"]
        kernel = np.asarray(dense["kernel"], np.float64).reshape(width, table.shape[1], -1)
        before = (width - 1) // 2
        best = 0.0
        for place in range(len(word)):
            y = np.asarray(dense["bias"], np.float64)
            for i in range(width):
                at = place - before + i
                if 0 <= at < len(word):
                    y = y + table[word[at]] @ kernel[i]
            best = np.maximum(best, y)
        found.append(best)
    return np.concatenate(found)


@pytest.mark.parametrize("filters", [((1, 2), (3, 4)), ((2, 5),), ((9, 3),)])
def test_vectors_are_the_best_windows_of_the_word(filters):
    net = module(filters=filters)
    params = net.init(jax.random.key(0), CHARS)["params"]
    params = jax.tree.map(lambda p: p + 0.1, params)  # biases that are not 0
    got = net.apply({"params": params}, CHARS)
    for row, word in ((0, [5, 6, 7, 8]), (1, [9])):
        np.testing.assert_allclose(got[row], by_hand(params, word, filters), rtol=1e-5, atol=1e-6)


def test_more_padding_changes_nothing_and_no_character_gives_zero():
    net = module()
    variables = net.init(jax.random.key(0), CHARS)
    wide = jnp.pad(CHARS, ((0, 0), (0, 5)))
    got, expected = net.apply(variables, wide), net.apply(variables, CHARS)
    np.testing.assert_allclose(got, expected, rtol=1e-6)  # sums over windows of other widths
    assert (net.apply(variables, CHARS)[2] == 0).all()
    table = jax.grad(lambda v: net.apply(v, CHARS).sum())(variables)["params"]["embedding"]
    assert (table["tokens"][0] == 0).all() and (table["tokens"][5] != 0).any()


def test_axes_in_front_are_kept_and_highway_layers_carry_at_first():
    net = module(highway=2)
    chars = jnp.stack([CHARS, CHARS[::-1]])
    y, variables = net.init_with_output(jax.random.key(0), chars)
    assert y.shape == (2, 3, 6)
    np.testing.assert_array_equal(y[0], y[1, ::-1])
    plain = module().apply(
        {"params": {k: v for k, v in variables["params"].items() if "Dense" not in k}}, chars
    )
    # A bias of -2 lets 12 % through the gates where inputs are small.
    np.testing.assert_allclose(y, plain, atol=0.35 * float(jnp.abs(plain).max()))
