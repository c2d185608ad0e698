"""ELMo's network: how words are spelled, which words each direction has seen, how layers mix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core import tokens
from genjax.models.elmo import NUM_CHARACTERS, BiLM, Mix, spell, spell_vocabulary

T, LENGTH = 5, 6
# Each word is one character of its own, so that the gradient by a character's vector is the word's.
CHARS = jnp.zeros((2, T, LENGTH), jnp.int32).at[..., 0].set(10 + jnp.arange(2 * T).reshape(2, T))
REAL = jnp.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], jnp.float32)


@pytest.fixture(scope="module")
def network():
    return BiLM(6, 7, 2, char_dim=4, filters=((1, 3), (3, 5)), highway=1)


@pytest.fixture(scope="module")
def params(network):
    found = jax.jit(network.init)(jax.random.key(0), CHARS, REAL)["params"]
    return jax.tree.map(lambda p: p + 0.1, found)


def test_words_are_their_bytes_between_two_marks():
    rows = spell(["ab", "é", "", "abcdefgh"], LENGTH)
    a, b = 3 + ord("a"), 3 + ord("b")
    assert rows[0].tolist() == [1, a, b, 2, 0, 0]
    assert rows[1].tolist() == [1, 3 + 0xC3, 3 + 0xA9, 2, 0, 0]
    assert rows[2].tolist() == [1, 2, 0, 0, 0, 0]
    assert rows[3].tolist() == [1, a, b, a + 2, a + 3, 2]


def test_special_tokens_are_spelled_as_nothing_else_is():
    table = spell_vocabulary(["a", "b"], LENGTH)
    assert table.shape == (tokens.NUM_SPECIALS + 2, LENGTH)
    assert (table[tokens.PAD] == 0).all() and table.max() == NUM_CHARACTERS - 1
    assert len(np.unique(table, axis=0)) == len(table)
    assert (table[1 : tokens.NUM_SPECIALS, 0] >= 3 + 256).all()


def test_each_direction_has_seen_its_own_side_only(network, params):
    """Exactly: gradients by what a direction has not seen are zero."""

    def message(table):
        """The sum of what all layers say at each place of the first row, (2, T)."""
        changed = params["characters"] | {"embedding": {"tokens": table}}
        layers = network.apply({"params": params | {"characters": changed}}, CHARS, REAL)
        return layers[:, :, 0].sum((1, 3))

    by_character = jax.jit(jax.jacrev(message))(params["characters"]["embedding"]["tokens"])
    seen = (by_character[:, :, 10 : 10 + T] != 0).any(-1)
    place = np.arange(T)
    np.testing.assert_array_equal(seen[0], place[None] <= place[:, None])
    np.testing.assert_array_equal(seen[1], place[None] >= place[:, None])


def test_padding_changes_nothing_and_says_nothing(network, params):
    layers = network.apply({"params": params}, CHARS, REAL)
    assert layers.shape == (2, 3, 2, T, 6)
    assert (layers[:, :, 1, 3:] == 0).all()
    cut = network.apply({"params": params}, CHARS[1:, :3], REAL[1:, :3])
    np.testing.assert_allclose(layers[:, :, 1, :3], cut[:, :, 0], atol=1e-6)


def test_layer_zero_is_the_word_itself(network, params):
    layers = network.apply({"params": params}, CHARS, REAL)
    turned = network.apply({"params": params}, CHARS[:1, ::-1], REAL[:1])
    np.testing.assert_allclose(layers[0, 0, 0], turned[0, 0, 0, ::-1], atol=1e-6)
    np.testing.assert_array_equal(layers[0, 0], layers[1, 0])
    assert not np.allclose(layers[0, 2, 0], turned[0, 2, 0, ::-1])


def test_mix_is_the_weighted_mean_of_layers():
    layers = jax.random.normal(jax.random.key(0), (2, 3, 4, 5, 6))
    mix = Mix()
    params = mix.init(jax.random.key(0), layers)["params"]
    np.testing.assert_allclose(mix.apply({"params": params}, layers), layers.mean(1), atol=1e-6)
    params = {"scores": jnp.log(jnp.array([1.0, 2.0, 5.0])), "factor": jnp.float32(3.0)}
    expected = 3 * np.einsum("l,slbtd->sbtd", [1 / 8, 2 / 8, 5 / 8], layers)
    np.testing.assert_allclose(mix.apply({"params": params}, layers), expected, atol=1e-5)
