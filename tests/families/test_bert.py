"""BERT as a family: its loss by hand, what evaluation hides, pairs of texts, empty rows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core import tokens
from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.core.random import step_key
from genjax.data.text.masking import mask_tokens
from genjax.families import bert

V, T, ROWS = 30, 12, 6
X = np.random.default_rng(0).integers(tokens.NUM_SPECIALS, V, (ROWS, T + 1)).astype(np.int32)


def make(kind="text", **changes):
    c = bert.default_config()
    c.steps, c.batch_size = 10, ROWS
    c.data.kind, c.data.length = kind, T
    c.model.update(width=8, num_heads=2, num_layers=1, dropout=0.0)
    c.update_from_flattened_dict({name.replace("__", "."): v for name, v in changes.items()})
    spec = DataSpec(kind, (T + (kind == "text"),), vocab_size=V, word_parts=bytes(V))
    return bert.build(c, spec, 10)


def test_loss_is_the_cross_entropy_of_guessed_tokens_alone():
    """Against all places projected, and a softmax over all of them."""
    family = make(optimizer__learning_rate=0.0)
    state = jax.jit(family.init)(jax.random.key(0))
    _, metrics = jax.jit(family.step)(state, {"x": X})
    ids = np.pad(X, ((0, 0), (1, 0)), constant_values=tokens.BOS)
    noise = jax.random.uniform(step_key(state, 0), (*ids.shape, 3))
    masked = mask_tokens(jnp.asarray(ids), noise, vocab_size=V)
    # `embed` puts BOS in front itself.
    embed = jax.jit(family.embed)
    hidden = np.asarray(embed(state, masked.inputs[:, 1:]), np.float64)
    p = jax.tree.map(lambda a: np.asarray(a, np.float64), state.params["heads"])
    x = hidden @ p["transform"]["kernel"] + p["transform"]["bias"]
    x = np.asarray(jax.nn.gelu(x, approximate=False))
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    logits = x @ np.asarray(state.params["encoder"]["embedding"]["tokens"], np.float64).T
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    chosen = np.zeros(ids.shape, bool)
    for row, positions, targets in zip(chosen, masked.positions, masked.targets):
        row[positions[targets != tokens.PAD]] = True
    assert not chosen[:, 0].any() and chosen.sum() == 2 * ROWS
    picked = np.take_along_axis(log_p, ids[:, 1:, None], -1)[..., 0][chosen[:, 1:]]
    np.testing.assert_allclose(metrics["loss"], -picked.mean(), rtol=1e-4)


@pytest.mark.parametrize("kind", [pytest.param("text", marks=pytest.mark.slow), "sentence"])
def test_rows_without_tokens_have_no_loss_and_no_gradient(kind):
    family = make(kind, model__norm_first=True)
    state = jax.jit(family.init)(jax.random.key(0))
    empty = np.zeros((ROWS, T + (kind == "text")), np.int32)
    after, metrics = jax.jit(family.step)(state, {"x": empty})
    assert metrics["loss"] == 0
    moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), after.params, state.params)
    # Nothing but the decay of weights.
    assert max(jax.tree.leaves(moved)) < 1e-4
    some = empty.copy()
    some[0, :5] = [7, 8, 9, 10, tokens.EOS]
    alone = jax.jit(family.step)(state, {"x": some})[1]["loss"]
    assert np.isfinite(alone) and alone > 0


def test_evaluation_hides_what_it_asks_for_and_always_the_same():
    family = make()
    state = jax.jit(family.init)(jax.random.key(0))
    batch = {"x": X, "mask": np.ones(ROWS, np.float32)}
    first, again = (jax.jit(family.evaluate)(state, batch) for _ in range(2))
    assert first["guessed"] == 2 * ROWS
    np.testing.assert_array_equal(first["nll"], again["nll"])
    other_state = jax.jit(family.init)(jax.random.key(1))
    assert jax.jit(family.evaluate)(other_state, batch)["guessed"] == first["guessed"]
    means = {name: np.asarray(v) / ROWS for name, v in first.items()}
    message = family.summary(means)
    np.testing.assert_allclose(message["loss"], first["nll"] / first["guessed"], rtol=1e-6)
    np.testing.assert_allclose(message["perplexity"], np.exp(message["loss"]), rtol=1e-6)


def test_fill_answers_only_where_something_is_hidden():
    family = make()
    state = jax.jit(family.init)(jax.random.key(0))
    x = jnp.asarray(X[:, :T]).at[:, 4].set(tokens.MASK).at[:, 8:].set(tokens.PAD)
    filled = np.asarray(jax.jit(family.predict_masked)(state, x))
    assert (filled[:, 4] >= tokens.NUM_SPECIALS).all()
    np.testing.assert_array_equal(np.delete(filled, 4, 1), np.delete(np.asarray(x), 4, 1))


def test_vectors_of_a_text_do_not_depend_on_its_padding():
    family = make("sentence")
    state = jax.jit(family.init)(jax.random.key(0))
    x = np.zeros((2, T), np.int32)
    x[0, :4], x[1] = [7, 8, 9, tokens.EOS], 11
    encode, embed = (jax.jit(getattr(family, name)) for name in ("encode", "embed"))
    np.testing.assert_allclose(encode(state, x)[0], encode(state, x[:1, :4])[0], atol=1e-5)
    np.testing.assert_allclose(embed(state, x)[0, :4].mean(0), encode(state, x)[0], atol=1e-5)


def test_a_text_is_paired_with_one_half_a_batch_away_that_counts():
    x = jnp.arange(6)[:, None] * 10
    other, there = bert._others(x, jnp.ones(6))
    assert other[:, 0].tolist() == [30, 40, 50, 0, 10, 20] and there.all()
    keep = jnp.array([1, 0, 1, 1, 0, 1.0])
    other, there = bert._others(x, keep)
    assert other[:, 0][keep > 0].tolist() == [30, 50, 0, 20] and there[keep > 0].all()
    other, there = bert._others(x, jnp.array([0, 0, 1, 0, 0, 0.0]))
    assert not there[2]


def test_half_of_the_texts_are_paired_with_others_and_the_loss_is_told_which():
    """Of a head that is sure that all texts follow, at a price of 20 nats where they do not."""
    family = make(loss__next_sentence=True, optimizer__learning_rate=0.0)
    state, step = jax.jit(family.init)(jax.random.key(0)), jax.jit(family.step)
    heads = state.params["heads"]
    sure = {"kernel": 0 * heads["follows"]["kernel"], "bias": jnp.array([20.0])}
    state = state.replace(params=state.params | {"heads": heads | {"follows": sure}})
    shares = []
    for i in range(40):
        _, metrics = step(state.replace(step=jnp.int32(i)), {"x": X})
        shares.append(ROWS * float(metrics["next_sentence"]) / 20)
        np.testing.assert_allclose(
            metrics["loss"], metrics["masked"] + metrics["next_sentence"], rtol=1e-5
        )
    np.testing.assert_allclose(shares, np.round(shares), atol=1e-4)
    assert 0.35 < np.mean(shares) / ROWS < 0.65 and len(np.unique(np.round(shares))) > 2
    many = np.random.default_rng(1).integers(5, V, (200, T + 1)).astype(np.int32)
    sums = jax.jit(family.evaluate)(state, {"x": many, "mask": np.ones(200, np.float32)})
    assert 70 < sums["next_sentence_accuracy"] < 130


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "pair"}, "data.name"),
        ({"loss__mask_rate": 0.0}, "loss.mask_rate"),
        ({"loss__mask_rate": 1.0}, "loss.mask_rate"),
        ({"kind": "sentence", "loss__next_sentence": True}, "loss.next_sentence"),
        ({"data__packed": True}, "data.packed"),
        ({"model__num_heads": 3}, "model.num_heads"),
    ],
)
def test_mistakes_name_the_field(changes, field):
    with pytest.raises(ConfigError, match=f"config.{field}="):
        make(**changes)
