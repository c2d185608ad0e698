"""ELMo as a family: its loss by hand, the words of its vectors, mistakes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core import tokens
from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.families import elmo
from genjax.models.elmo import spell
from tests.families.compiled import compiled

WORDS = ("the", "import", "statement", "is", "a", "word")
V, T, ROWS = tokens.NUM_SPECIALS + len(WORDS), 7, 3
X = np.random.default_rng(0).integers(tokens.NUM_SPECIALS, V, (ROWS, T)).astype(np.int32)
X[1, 4:], X[2, 6:] = tokens.PAD, tokens.PAD


def make(kind="text", spellings=WORDS, **changes):
    c = elmo.default_config()
    c.steps, c.batch_size = 10, ROWS
    c.data.kind, c.data.length = kind, T - (kind == "text")
    c.model.update(width=6, hidden=7, char_dim=4, char_widths=(1, 3), char_filters=(3, 5))
    c.model.dropout = 0.0
    c.update_from_flattened_dict({name.replace("__", "."): v for name, v in changes.items()})
    return elmo.build(c, DataSpec(kind, (T,), vocab_size=V, spellings=spellings), 10)


@pytest.mark.parametrize(("kind", "chunk"), [("text", 0), ("sentence", 4)])
def test_loss_is_that_of_two_language_models(kind, chunk):
    """Each word from the left and from the right, from the functions that a user has."""
    family = make(kind, loss__logits_chunk=chunk, optimizer__learning_rate=0.0)
    state = jax.jit(family.init)(jax.random.key(0))
    ids = X if kind == "text" else np.pad(X, ((0, 0), (1, 0)), constant_values=tokens.BOS)
    out = jax.tree.map(lambda p: np.asarray(p, np.float64), state.params["output"])
    # The functions add a sentence's BOS themselves and leave it out again: ask without it.
    read = make(kind="text") if kind == "sentence" else family
    h = np.asarray(jax.jit(read.embed)(state, jnp.asarray(ids)), np.float64)
    logits = [side @ out["kernel"] + out["bias"] for side in np.split(h, 2, axis=-1)]
    left, right = (x - np.log(np.exp(x).sum(-1, keepdims=True)) for x in logits)
    sums, count = np.zeros(2), 0
    for b, row in enumerate(ids):
        n = int((row != tokens.PAD).sum())
        count += n - 1
        sums[0] -= sum(left[b, t, row[t + 1]] for t in range(n - 1))
        sums[1] -= sum(right[b, t, row[t - 1]] for t in range(1, n))
    _, metrics = jax.jit(family.step)(state, {"x": X})
    np.testing.assert_allclose(metrics["forward_loss"], sums[0] / count, rtol=1e-4)
    np.testing.assert_allclose(metrics["backward_loss"], sums[1] / count, rtol=1e-4)
    np.testing.assert_allclose(metrics["loss"], sums.mean() / count, rtol=1e-4)
    found = jax.jit(family.evaluate)(state, {"x": X, "mask": np.ones(ROWS, np.float32)})
    message = family.summary({name: np.asarray(v) / ROWS for name, v in found.items()})
    np.testing.assert_allclose(message["loss"], metrics["loss"], rtol=1e-5)
    assert found["words"] == count


@pytest.mark.slow
def test_the_scalars_of_the_layers_are_learned():
    family = make(optimizer__learning_rate=0.1)
    state, step = family.init(jax.random.key(0)), jax.jit(family.step)
    for _ in range(5):
        state, _ = step(state, {"x": X})
    scores = np.asarray(state.params["mix"]["scores"])
    assert np.ptp(scores) > 0.01 and state.params["mix"]["factor"] != 1


@pytest.mark.parametrize("kind", ["text", pytest.param("sentence", marks=pytest.mark.slow)])
def test_words_have_their_vectors_whether_or_not_they_are_in_the_vocabulary(kind):
    family = make(kind)
    state = jax.jit(family.init)(jax.random.key(0))
    jitted = compiled(family)
    embed, by_letters = jitted.embed, jitted.embed_words
    words = ["the", "import", "statement", "is", "a", "word", "the"]
    x = jnp.array([[tokens.NUM_SPECIALS + WORDS.index(w) for w in words]])
    chars = spell(words, 20)[None]
    vectors = embed(state, x)
    assert vectors.shape == (1, T, 12)
    np.testing.assert_allclose(vectors, by_letters(state, chars), atol=1e-6)
    assert not np.allclose(vectors[0, 0], vectors[0, 6])  # the same word elsewhere
    unseen = by_letters(state, spell(["the", "importing", *words[2:]], 20)[None])
    assert np.isfinite(unseen).all() and not np.allclose(unseen[0, 1], vectors[0, 1])
    layers = [jitted.features(state, x)[f"bilm.{i}"] for i in range(3)]
    np.testing.assert_allclose(np.mean(layers, 0), vectors, atol=1e-5)
    np.testing.assert_allclose(jitted.encode(state, x)[0], vectors[0].mean(0), atol=1e-5)


def test_an_empty_text_has_no_loss_and_no_gradient():
    family = make()
    state = jax.jit(family.init)(jax.random.key(0))
    after, metrics = jax.jit(family.step)(state, {"x": np.zeros_like(X)})
    assert metrics["loss"] == 0
    jax.tree.map(np.testing.assert_array_equal, after.params, state.params)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "pair"}, "data.name"),
        ({"spellings": ()}, "data.tokenizer"),
        ({"data__packed": True}, "data.packed"),
        ({"data__word_length": 2}, "data.word_length"),
        ({"model__hidden": 0}, "model.hidden"),
        ({"model__char_widths": (0, 3)}, "model.char_widths"),
        ({"model__char_filters": (3,)}, "model.char_filters"),
        ({"model__char_widths": (3, 3)}, "model.char_filters"),
        ({"model__highway": -1}, "model.highway"),
        ({"model__dropout": 1.0}, "model.dropout"),
        ({"loss__logits_chunk": -1}, "loss.logits_chunk"),
    ],
)
def test_mistakes_name_the_field(changes, field):
    with pytest.raises(ConfigError, match=f"config.{field}="):
        make(**changes)
