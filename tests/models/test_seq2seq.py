"""Recurrent encoder-decoders: a step by hand, input feeding, what the decoder may see."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.tokens import BOS, EOS, PAD
from genjax.models.seq2seq import ATTENTIONS, Seq2Seq

VOCAB, TARGET_VOCAB, EMBED, HIDDEN = 12, 11, 3, 4
X = jnp.array([[5, 6, 7, EOS], [8, EOS, PAD, PAD]])
INPUTS = jnp.array([[BOS, 6, 5], [BOS, 9, 8]])
CASES = [
    (attention, feeding)
    for attention in ATTENTIONS
    for feeding in (False, True)
    if (attention, feeding) not in (("none", True), ("location", False))
]


def make(attention="additive", input_feeding=True, **changes):
    fields = {"layers": 2, "attention": attention, "input_feeding": input_feeding} | changes
    network = Seq2Seq(VOCAB, TARGET_VOCAB, EMBED, HIDDEN, **fields)

    @jax.jit
    def init():
        params = network.init(jax.random.key(0), X, INPUTS)["params"]
        key = jax.random.key(1)
        return jax.tree.map(lambda p: p + 0.3 * jax.random.normal(key, p.shape), params)

    return network, init()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(params, attention, input_feeding, outputs, carry, real):
    """The vectors that predict, in float64, for one row: `outputs` (S, H) are the encoder's."""
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), params["decoder"])
    outputs = np.asarray(outputs, np.float64)[:real]
    carry = [[np.asarray(s, np.float64) for s in states] for states in carry]
    vector, vectors, all_weights = np.zeros(EMBED), [], []
    weights = np.zeros(len(outputs))
    embedded = np.asarray(params["target"]["tokens"], np.float64)
    for token in INPUTS[0]:
        x = embedded[token]
        for i, (h, c) in enumerate(carry):
            a = x @ p[f"kernel_x{i}"] + h @ p[f"kernel_h{i}"] + p[f"bias_x{i}"]
            if i == 0 and input_feeding:
                a += vector @ p["kernel_vector"]
            gate_i, f, g, o = np.split(a, 4)
            c = sigmoid(f) * c + sigmoid(gate_i) * np.tanh(g)
            x = sigmoid(o) * np.tanh(c)
            carry[i] = [x, c]
        both = x
        if attention != "none":
            if attention in ("additive", "location"):
                hidden = x @ p["kernel_query"] + outputs @ p["kernel_key"]
                if attention == "location":  # tap k of the filters is of the place k - 5 further
                    near = np.pad(weights, 5)
                    hidden += [near[s : s + 11] @ p["filters"] for s in range(real)]
                scores = np.tanh(hidden) @ p["bias_score"]
            elif attention == "multiplicative":
                scores = outputs @ p["kernel_key"] @ x
            else:
                scores = outputs @ x
            weights = np.exp(scores) / np.exp(scores).sum()
            all_weights.append(weights)
            both = np.concatenate([weights @ outputs, x])
        vector = np.tanh(both @ p["kernel_out"] + p["bias_out"])
        vectors.append(vector)
    return np.array(vectors), np.array(all_weights)


@pytest.mark.parametrize(("attention", "input_feeding"), CASES)
def test_vectors_and_weights_are_those_of_the_equations(attention, input_feeding):
    network, params = make(attention, input_feeding, bidirectional=False)
    apply = jax.jit(network.apply, static_argnames="method")
    vectors = apply({"params": params}, X, INPUTS)

    def encoded(module, x):
        return module.encoder(module.source(x), (x != PAD).sum(-1))

    outputs, carry = network.apply({"params": params}, X, method=encoded)
    first = [[s[0] for s in states] for states in carry]
    expected, weights = by_hand(params, attention, input_feeding, outputs[0], first, 4)
    np.testing.assert_allclose(vectors[0], expected, rtol=1e-4, atol=1e-5)
    if attention != "none":
        got = apply({"params": params}, X, INPUTS, method="weights")
        np.testing.assert_allclose(got[0], weights, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(got[1, :, 2:], 0.0)
        np.testing.assert_allclose(got.sum(-1), 1.0, rtol=1e-5)


@pytest.mark.parametrize(("cell", "bidirectional"), [("gru", False), ("lstm", True)])
def test_decoders_start_from_the_last_states_of_each_row(cell, bidirectional):
    network, params = make(cell=cell, bidirectional=bidirectional)
    cache = network.apply({"params": params}, X, 3, method="begin")
    assert len(cache["carry"]) == 2 and cache["carry"][0][0].shape == (2, HIDDEN)
    alone = network.apply({"params": params}, X[1:, :2], 3, method="begin")
    for a, b in zip(jax.tree.leaves(cache["carry"]), jax.tree.leaves(alone["carry"])):
        np.testing.assert_allclose(a[1:], b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("attention", "input_feeding"),
    [
        ("dot", False),
        pytest.param("additive", True, marks=pytest.mark.slow),
        pytest.param("location", True, marks=pytest.mark.slow),
    ],
)
def test_gradients_of_all_parameters_are_those_of_finite_differences(attention, input_feeding):
    with jax.enable_x64(True):
        network, params = make(attention, input_feeding, bidirectional=True, dtype=jnp.float64)
        params = jax.tree.map(lambda p: p.astype(jnp.float64), params)
        direction = jax.tree.map(lambda p: jnp.cos(jnp.arange(p.size)).reshape(p.shape), params)

        @jax.jit
        def both(params):
            def loss(distance):
                moved = jax.tree.map(lambda p, d: p + distance * d, params, direction)
                return jnp.sin(3 * network.apply({"params": moved}, X, INPUTS)).sum()

            return jax.grad(loss)(0.0), (loss(1e-5) - loss(-1e-5)) / 2e-5

        got, expected = both(params)
        assert got.dtype == jnp.float64
        np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_dropout_draws_for_each_step_and_layer():
    network, params = make("dot", True, dropout=0.5)
    apply = jax.jit(
        lambda key: network.apply({"params": params}, X, INPUTS, train=True, rngs={"dropout": key})
    )
    first, second = apply(jax.random.key(0)), apply(jax.random.key(1))
    assert np.isfinite(first).all() and not np.allclose(first, second)
    assert 0.2 < (first == 0).mean() < 0.8
