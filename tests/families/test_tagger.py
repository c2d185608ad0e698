"""Taggers: the field over the network's scores, padding, characters."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import losses
from genjax.core import tokens
from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.families import bert, tagger
from tests.families.compiled import compiled

VOCAB, CHARS, TAGS, SHAPE = 12, 9, 4, (5, 3)
WORDS = jnp.array([[7, 8, 9, 10, 11], [6, 7, 0, 0, 0]])


def characters():
    x = jax.random.randint(jax.random.key(3), (*WORDS.shape, SHAPE[1]), 5, CHARS)
    x = x.at[:, ::2, 2].set(0)
    return jnp.where((WORDS != tokens.PAD)[..., None], x, 0)


def build(kind="tagged", **changes):
    c = tagger.default_config()
    c.update({"steps": 1, "batch_size": 2})
    c.model.update({"embed_dim": 6, "hidden": 5, "char_filters": 4, "char_embed_dim": 3})
    c.model.bert.update({"width": 8, "num_layers": 2, "num_heads": 2})
    c.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    spec = DataSpec(
        kind, SHAPE[:1], num_classes=TAGS, vocab_size=VOCAB, char_shape=SHAPE, char_vocab_size=CHARS
    )
    return compiled(tagger.build(c, spec, 1))


def trained_state(family):
    """Parameters that are not at their start: the field's are 0 there."""
    state = family.init(jax.random.key(0))
    leaves, tree = jax.tree.flatten(state.params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [p + jax.random.normal(k, p.shape) for p, k in zip(leaves, keys)]
    return state.replace(params=jax.tree.unflatten(tree, moved))


def batch(**fields):
    label = jax.random.randint(jax.random.key(2), WORDS.shape, 0, TAGS)
    return {"x": WORDS, "chars": characters(), "label": label, "mask": jnp.ones(2)} | fields


@pytest.mark.parametrize("head", ["crf", "softmax"])
def test_tags_are_the_likeliest(head):
    """No other tags of the whole batch have a lower loss."""
    family = build(model__head=head)
    state = trained_state(family)
    best = family.tag(state, WORDS, characters())
    assert (best[WORDS == tokens.PAD] == 0).all()
    sums = family.evaluate(state, batch(label=best))
    assert sums["accuracy"] == sums["words"] == 7
    for place in np.argwhere(WORDS != tokens.PAD):
        for tag in range(TAGS):
            other = best.at[tuple(place)].set(tag)
            assert family.evaluate(state, batch(label=other))["nll"] >= sums["nll"] - 1e-4


def test_the_loss_is_that_of_the_field_over_the_words_of_the_batch():
    family = build()
    state, found = trained_state(family), batch()
    nll = family.evaluate(state, found)["nll"]
    rows = {name: found[name] for name in ("x", "chars", "label")}
    _, metrics = build(model__dropout=0.0).step(state, rows)
    np.testing.assert_allclose(metrics["loss"], nll / 7, rtol=1e-5)
    flat = state.replace(
        params=state.params | {"crf": jax.tree.map(jnp.zeros_like, state.params["crf"])}
    )
    by_itself = build(model__head="softmax").evaluate(state, found)["nll"]
    np.testing.assert_allclose(family.evaluate(flat, found)["nll"], by_itself, rtol=1e-5)
    assert not np.isclose(nll, by_itself)
    assert set(state.params["crf"]) == set(losses.Transitions._fields)


@pytest.mark.parametrize(
    ("filters", "words"), [(4, "table"), pytest.param(4, "bert", marks=pytest.mark.slow)]
)
def test_padding_changes_nothing(filters, words):
    family = build(model__char_filters=filters, model__words=words)
    state = trained_state(family)
    whole, tag = batch(), family.tag
    alone = {k: v[1:, :2] if v.ndim > 1 else v[1:] for k, v in whole.items()}
    found = family.evaluate(state, whole | {"mask": jnp.array([0.0, 1.0])})
    own = family.evaluate(state, alone)
    for name, value in own.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(
        tag(state, WORDS, whole["chars"])[1, :2], tag(state, alone["x"], alone["chars"])[0]
    )


@pytest.mark.slow
def test_a_fixed_encoder_stays_and_the_others_learn():
    fields = {"model__head": "softmax", "model__char_filters": 0}  # which compile faster
    family = build(model__words="bert", optimizer__encoder_lr_scale=0.0, **fields)
    state, found = family.init(jax.random.key(0)), batch()
    moved, _ = family.step(state, {name: found[name] for name in ("x", "chars", "label")})
    equal = jax.tree.map(lambda a, b: bool((a == b).all()), moved.params, state.params)
    assert all(jax.tree.leaves(equal["encoder"]))
    assert not any(jax.tree.leaves(equal["scorer"]["Dense_0"]))


def test_encoder_and_scorer_drop_by_keys_of_their_own(monkeypatch):
    family = build(model__words="bert", model__dropout=0.5, model__bert__dropout=0.5)
    keys, make = [], nn.Module.make_rng
    params, found = family.init(jax.random.key(0)).params, batch()

    def seen(module, name="params"):
        keys.append(make(module, name))
        return keys[-1]

    monkeypatch.setattr(nn.Module, "make_rng", seen)
    with jax.disable_jit():
        family.scores(params, found, train=True, rngs={"dropout": jax.random.key(1)})
    assert len({*map(str, keys)}) == len(keys) > 2


def test_an_encoder_of_parts_of_words_is_refused():
    other = bert.default_config()
    other.data.tokenizer = "bpe"
    with pytest.raises(ConfigError, match=r"config.start.workdir='': .* run of bpe tokens"):
        tagger.adopt(tagger.default_config(), other)


def test_characters_tell_unknown_words_apart():
    unknown = jnp.where(WORDS != tokens.PAD, tokens.UNK, tokens.PAD)
    other = jnp.where(characters() > 0, 5, 0)
    for filters, differ in ((4, True), (0, False)):
        family = build(model__char_filters=filters)
        state = trained_state(family)
        a, b = (
            family.evaluate(state, batch(x=unknown, chars=c))["nll"] for c in (characters(), other)
        )
        assert (a != b) == differ


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "sentence"}, "data.name='python_docs': must be words with tags"),
        ({"model__head": "hmm"}, "model.head='hmm': must be one of crf, softmax"),
        ({"model__words": "lstm"}, "model.words='lstm': must be one of table, bert, gpt, elmo"),
        ({"model__words": "elmo"}, "data.tokenizer='word': words are read as characters"),
        ({"model__words": "bert", "model__bert__max_length": 5}, "data.length=5: must be below"),
        ({"model__char_filters": -1}, "model.char_filters=-1: must be at least 0"),
        ({"model__char_width": 0}, "model.char_width=0: must be at least 1"),
        ({"model__layers": 0}, "model.layers=0: must be at least 1"),
    ],
)
def test_mistakes_are_told_in_a_line(changes, message):
    with pytest.raises(ConfigError, match=f"config.{message}"):
        build(**changes)
