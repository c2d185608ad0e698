"""BERT's encoder: what sees what, exactly; how pairs of texts are laid out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.tokens import BOS, EOS, PAD
from genjax.models.bert import Encoder, Heads, one_text, two_texts
from genjax.models.layers import Layers

V, T = 20, 8
X = jnp.array([[2, 7, 8, 9, 10, 3, 0, 0], [2, 11, 12, 3, 0, 0, 0, 0], [2, 5, 5, 5, 5, 5, 5, 3]])


@pytest.fixture(scope="module", params=[False, True], ids=["post_norm", "pre_norm"])
def encoder(request):
    return Encoder(V, T, Layers(8, 2, 2, norm_first=request.param), num_types=2)


@pytest.fixture(scope="module")
def params(encoder):
    found = jax.jit(encoder.init)(jax.random.key(0), X)["params"]
    return jax.tree.map(lambda p: p + 0.1 * jax.random.normal(jax.random.key(1), p.shape), found)


def test_padding_has_no_gradient_and_no_effect(encoder, params):
    def message(params, row):
        h = encoder.apply({"params": params}, X)[row]
        return (h * (X[row] != PAD)[:, None]).sum(0)[0]

    for row, length in ((0, 6), (1, 4)):
        gradient = jax.jit(jax.grad(message), static_argnums=1)(params, row)["embedding"]
        assert (gradient["positions"][length:] == 0).all()
        assert (gradient["positions"][:length] != 0).any(1).all()
        assert (gradient["tokens"][PAD] == 0).all()
    whole = encoder.apply({"params": params}, X)
    cut = encoder.apply({"params": params}, X[:2, :6])
    np.testing.assert_allclose(whole[0, :6], cut[0], atol=1e-5)
    np.testing.assert_allclose(whole[1, :4], cut[1, :4], atol=1e-5)


def test_every_place_sees_both_sides_and_no_other_row(encoder, params):
    def message(places):
        changed = params | {"embedding": params["embedding"] | {"positions": places}}
        return encoder.apply({"params": changed}, X[2:])[0, 3]

    seen = jax.jacrev(message)(params["embedding"]["positions"])
    assert (jnp.abs(seen).max((0, 2)) > 0).all()
    alone = encoder.apply({"params": params}, X[:1])
    np.testing.assert_allclose(alone[0], encoder.apply({"params": params}, X)[0], atol=1e-5)


def test_types_tell_segments_apart(encoder, params):
    types = jnp.zeros_like(X).at[:, 4:].set(1)
    plain = encoder.apply({"params": params}, X)
    np.testing.assert_array_equal(plain, encoder.apply({"params": params}, X, jnp.zeros_like(X)))
    assert not np.allclose(plain, encoder.apply({"params": params}, X, types))


def test_heads_say_the_dot_product_with_each_token():
    layers = Layers(8, 1, 2, norm_first=False)
    h, table = (jax.random.normal(jax.random.key(i), s) for i, s in enumerate([(2, 3, 8), (V, 8)]))
    heads = Heads(V, layers)
    params = heads.init(jax.random.key(0), h, table)["params"]
    params["bias"] = jnp.arange(V, dtype=jnp.float32)
    x = np.asarray(h, np.float64) @ np.asarray(params["transform"]["kernel"], np.float64)
    x = np.asarray(jax.nn.gelu(x, approximate=False), np.float64)
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + layers.epsilon)
    np.testing.assert_allclose(
        heads.apply({"params": params}, h, table), x @ np.asarray(table).T + np.arange(V), rtol=2e-4
    )


def test_texts_are_laid_out_behind_bos_and_before_eos():
    a, b = jnp.array([[7, 8], [9, 10]]), jnp.array([[11, 12, 13], [14, 0, 0]])
    assert one_text(a).tolist() == [[BOS, 7, 8], [BOS, 9, 10]]
    ids, types = two_texts(a, b)
    assert ids.tolist() == [[BOS, 7, 8, EOS, 11, 12, 13, EOS], [BOS, 9, 10, EOS, 14, 0, 0, EOS]]
    assert types.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]] * 2
