"""The stack of layers: a layer is the paper's, and all ways to run it agree."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf, softmax

from genjax.models.layers import Layers
from genjax.models.transformer import Stack
from genjax.ops.masks import causal_mask, padding_mask

B, T, M, D = 2, 5, 4, 8
PLAIN = Layers(D, num_layers=2, num_heads=4)
MODERN = dataclasses.replace(
    PLAIN, num_kv_heads=2, mlp_dim=6, activation="swiglu", norm="rms", bias=False, rotary=True
)
KINDS = {
    "plain": PLAIN,
    "modern": MODERN,
    "original": dataclasses.replace(PLAIN, norm_first=False),
}


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def scrambled(variables, seed=0):
    """No part at its start, where biases are 0 and scales 1."""
    leaves, tree = jax.tree.flatten(variables)
    moved = [x + 0.3 * draw(*x.shape, seed=seed + i) for i, x in enumerate(leaves)]
    return jax.tree.unflatten(tree, moved)


def made(layers, cross=False):
    stack, x = Stack(layers, cross), draw(B, T, D)
    memory = draw(B, M, D, seed=1) if cross else None
    variables = jax.jit(stack.init)(jax.random.key(0), x, memory_BxMxD=memory)
    return stack, scrambled(variables), x


def compiled(stack, **kwargs):
    """`stack.apply` as one program."""
    return jax.jit(functools.partial(stack.apply, **kwargs))


def layer_by_hand(p, x, mask, first):
    """One layer of `PLAIN`, in float64."""

    def norm(x, p):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * p["scale"] + p["bias"]

    def dense(x, p):
        return x @ p["kernel"] + p["bias"]

    def attention(x):
        query, key, value = np.split(dense(x, p["attention"]["query_key_value"]), 3, -1)
        answers = []
        for h in np.split(np.arange(D), 4):
            scores = query[..., h] @ key[..., h].swapaxes(1, 2) / np.sqrt(D // 4)
            answers.append(softmax(np.where(mask, scores, -np.inf), -1) @ value[..., h])
        return dense(np.concatenate(answers, -1), p["attention"]["out"])

    def feed_forward(x):
        x = dense(x, p["feed_forward"]["up"])
        return dense(x * (1 + erf(x / np.sqrt(2))) / 2, p["feed_forward"]["down"])

    for part, name in ((attention, "attention_norm"), (feed_forward, "feed_forward_norm")):
        x = x + part(norm(x, p[name])) if first else norm(x + part(x), p[name])
    return x, norm


@pytest.mark.parametrize("kind", ["plain", "original"])
def test_layers_are_those_of_the_papers(kind):
    stack, variables, x = made(KINDS[kind])
    mask = np.asarray(causal_mask(T).dense())
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), variables["params"])
    expected = np.asarray(x, np.float64)
    for i in range(PLAIN.num_layers):
        of_layer = jax.tree.map(lambda a: a[i], p["layers"])  # noqa: B023 - used at once
        expected, norm = layer_by_hand(of_layer, expected, mask, kind == "plain")
    if kind == "plain":
        expected = norm(expected, p["norm"])
    found = compiled(stack)(variables, x, mask)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_scanned_written_out_and_recomputed_layers_agree():
    _, variables, x = made(MODERN)

    def value(changes):
        network = Stack(dataclasses.replace(MODERN, **changes))

        def loss(variables):
            y = network.apply(variables, x, causal_mask(T))
            return jnp.sin(y).sum(), y

        return jax.jit(jax.grad(loss, has_aux=True))(variables)

    expected, y = value({"scan": False})
    for changes in ({"scan": True}, {"remat": True}):
        found, same = value(changes)
        np.testing.assert_allclose(same, y, rtol=1e-5, atol=1e-5)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4), found, expected
        )


@pytest.mark.parametrize("kind", ["plain", "modern"])
def test_no_place_depends_on_later_ones_exactly(kind):
    stack, variables, x = made(KINDS[kind])
    slopes_TxBxTxD = jax.jit(
        jax.jacrev(lambda x: stack.apply(variables, x, causal_mask(T)).sum((0, 2)))
    )(x)
    for place, slopes_BxTxD in enumerate(slopes_TxBxTxD):
        assert (slopes_BxTxD[:, place + 1 :] == 0).all()
        assert (jnp.abs(slopes_BxTxD[:, : place + 1]).max((0, 2)) > 0).all()


def test_padding_changes_nothing_in_an_encoder():
    stack, variables, x = made(PLAIN)
    tokens = np.array([[7, 7, 7, 0, 0], [7, 7, 7, 7, 7]])
    apply = compiled(stack)
    y = apply(variables, x, padding_mask(tokens))
    short = apply(variables, x[:1, :3])
    np.testing.assert_allclose(y[:1, :3], short, rtol=1e-5, atol=1e-5)
    noisy = apply(variables, x.at[0, 3:].add(100.0), padding_mask(tokens))
    np.testing.assert_array_equal(noisy[0, :3], y[0, :3])


@pytest.mark.parametrize(("kind", "cross"), [("modern", False), ("original", True)])
def test_pieces_behind_a_cache_equal_the_whole(kind, cross):
    """Pieces of any length, rows at different places, with buffers longer than the text."""
    stack, variables, x = made(KINDS[kind], cross)
    memory = {"memory_BxMxD": draw(B, M, D, seed=1)} if cross else {}
    mask = {"memory_mask": np.arange(M)[None, None] < np.array([2, 4])[:, None, None]}
    mask = mask if cross else {}
    whole = compiled(stack)(variables, x, causal_mask(T), **memory, **mask)
    extend = compiled(stack, method="extend")
    cache = stack.apply(variables, B, T + 3, *memory.values(), method="new_cache")
    assert all(leaf.shape[0] == B for leaf in jax.tree.leaves(cache))
    past, found = jnp.zeros(B, jnp.int32), []
    for size in (3, 1, 1):
        at = int(past[0])
        y, cache = extend(variables, x[:, at : at + size], cache, past, **mask)
        past, found = past + size, [*found, y]
    np.testing.assert_allclose(jnp.concatenate(found, 1), whole, rtol=1e-4, atol=1e-4)

    # The second row forgets its last two places and reads them again, beside the first one's next.
    past = jnp.array([T, T - 2])
    again = jnp.stack([x[0, :2], x[1, T - 2 :]])
    y, _ = extend(variables, again, cache, past, **mask)
    np.testing.assert_allclose(y[1], whole[1, T - 2 :], rtol=1e-4, atol=1e-4)


def test_a_memory_is_seen_where_its_mask_allows():
    stack, variables, x = made(PLAIN, cross=True)
    mask = np.arange(M)[None, None] < np.array([2, 4])[:, None, None]

    def total(memory):
        y = stack.apply(variables, x, causal_mask(T), memory_BxMxD=memory, memory_mask=mask)
        return jnp.sin(y).sum()

    gradient = jnp.abs(jax.jit(jax.grad(total))(draw(B, M, D, seed=1))).max(-1)
    np.testing.assert_array_equal(gradient > 0, mask[:, 0])


def test_computes_in_bfloat16_with_parameters_in_float32():
    layers = dataclasses.replace(MODERN, dtype=jnp.bfloat16)
    stack, variables, x = made(layers)
    y = compiled(stack)(variables, x.astype(jnp.bfloat16), causal_mask(T))
    assert y.dtype == jnp.bfloat16
    assert all(p.dtype == jnp.float32 for p in jax.tree.leaves(variables))
    exact = compiled(Stack(MODERN))(variables, x, causal_mask(T))
    largest = float(jnp.abs(exact).max())
    np.testing.assert_allclose(jnp.asarray(y, jnp.float32), exact, atol=0.1 * largest)


def test_initial_weights_have_the_stated_spread():
    layers = Layers(64, num_layers=8, num_heads=4)
    variables = jax.jit(Stack(layers).init)(jax.random.key(0), draw(1, 2, 64))
    p = variables["params"]["layers"]
    for kernel, std in (
        (p["attention"]["query_key_value"], 0.02),
        (p["feed_forward"]["up"], 0.02),
        (p["attention"]["out"], 0.02 / 4),
        (p["feed_forward"]["down"], 0.02 / 4),
    ):
        np.testing.assert_allclose(kernel["kernel"].std(), std, rtol=0.03)
        assert (kernel["bias"] == 0).all()
    # No two layers begin alike.
    assert (p["attention"]["out"]["kernel"][0] != p["attention"]["out"]["kernel"][1]).all()


def test_dropout_differs_between_layers_and_keys_and_is_for_training_alone():
    layers = dataclasses.replace(PLAIN, dropout=0.5)
    stack, variables, x = made(layers)

    @jax.jit
    @jax.vmap
    def run(seed):
        return stack.apply(variables, x, train=True, rngs={"dropout": jax.random.key(seed)})

    y = run(jnp.array([0, 0, *range(1, 200)]))
    np.testing.assert_array_equal(y[0], y[1])
    assert (y[0] != y[2]).any()
    still = compiled(stack)(variables, x)
    np.testing.assert_array_equal(still, compiled(Stack(PLAIN))(variables, x))
    assert jnp.abs(y.mean(0) - still).mean() < 0.5 * jnp.abs(y[0] - still).mean()
