"""Classifiers of texts: what each network sees of a sentence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core import tokens
from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.families import classifier
from genjax.models.sentence import pool
from tests.families.compiled import compiled

VOCAB, LENGTH, CLASSES = 15, 6, 3
NETWORKS = {
    "bag": {"network": "bag", "layers": 0},
    "deep bag of pairs": {"network": "bag", "bigrams": 1000, "layers": 2},
    "lstm, max": {"network": "recurrent", "pooling": "max"},
    "gru, mean": {"network": "recurrent", "cell": "gru", "pooling": "mean"},
    "rnn, last": {"network": "recurrent", "cell": "rnn", "pooling": "last", "bidirectional": False},
    "lstm, last": {"network": "recurrent", "pooling": "last", "layers": 2},
    "transformer": {"network": "transformer", "num_heads": 2, "pooling": "mean"},
    "bert, first": {"network": "bert", "pooling": "first"},
    "bert, max": {"network": "bert", "pooling": "max"},
    "gpt, last": {"network": "gpt", "pooling": "last"},
    "elmo, mixed": {"network": "elmo", "pooling": "mean", "mix": True},
}
_FAST = ("deep bag of pairs", "rnn, last", "transformer")


def build(network="lstm, max", kind="sentence", classes=CLASSES, **changes):
    c = classifier.default_config()
    c.update({"steps": 1, "batch_size": 4})
    c.model.update({"embed_dim": 8, "hidden": 8})
    for section in (c.model.bert, c.model.gpt):
        section.update({"width": 8, "num_layers": 2, "num_heads": 2, "init_std": 0.2})
    c.model.elmo.update({"width": 4, "hidden": 5, "char_filters": (2,), "char_widths": (3,)})
    c.model.update(NETWORKS[network])
    c.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    spec = DataSpec(
        kind, (LENGTH,), vocab_size=VOCAB, num_classes=classes, spellings=tuple("abcdefghij")
    )
    return compiled(classifier.build(c, spec, 1))


SENTENCES = jnp.array(
    [
        [7, 8, 9, 10, 11, tokens.EOS],
        [12, 7, tokens.EOS, 0, 0, 0],
        [tokens.EOS, 0, 0, 0, 0, 0],
    ]
)


@pytest.mark.parametrize(
    "network",
    [name if name in _FAST else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS],
)
def test_padding_changes_nothing(network):
    family = build(network)
    state = family.init(jax.random.key(0))
    p = family.classify(state, SENTENCES)
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-6)
    for row, length in enumerate((6, 3, 1)):
        alone = family.classify(state, SENTENCES[row : row + 1, :length])
        np.testing.assert_allclose(p[row], alone[0], rtol=1e-5, atol=1e-6)
    empty = family.classify(state, jnp.zeros((1, LENGTH), jnp.int32))
    assert np.isfinite(empty).all()


@pytest.mark.parametrize("network", NETWORKS)
def test_order_is_seen_by_all_but_a_bag(network):
    family = build(network)
    state = family.init(jax.random.key(0))
    swapped = SENTENCES[:1].at[0, :2].set(SENTENCES[0, 1::-1])
    a, b = (family.encode(state, x)[0] for x in (SENTENCES[:1], swapped))
    assert np.allclose(a, b, atol=1e-6) == (network == "bag")


def test_a_bag_is_the_mean_of_its_words():
    family = build("bag")
    state = family.init(jax.random.key(0))
    table = np.asarray(state.params["encoder"]["words"]["tokens"])
    code = family.encode(state, SENTENCES)
    np.testing.assert_allclose(code[0], table[SENTENCES[0]].mean(0), rtol=1e-5)
    np.testing.assert_allclose(code[1], table[SENTENCES[1, :3]].mean(0), rtol=1e-5)


@pytest.mark.parametrize("kind", ["mean", "max"])
def test_pooling_is_over_real_places(kind):
    h = jax.random.normal(jax.random.key(0), (2, 4, 3)) - 5
    real = jnp.array([[1, 1, 0, 0], [0, 0, 0, 0.0]])
    expected = getattr(np, kind)(np.asarray(h[0, :2]), axis=0)
    got = pool(h, real, kind)
    np.testing.assert_allclose(got[0], expected, rtol=1e-6)
    assert (got[1] == 0).all()
    gradient = jax.grad(lambda h: pool(h, real, kind).sum())(h)
    assert (gradient[0, 2:] == 0).all() and (gradient[1] == 0).all() and np.isfinite(gradient).all()


def test_words_are_dropped_and_marks_are_not():
    """With all words dropped, a step depends on lengths alone."""
    family = build("bag", model__word_dropout=0.999999, model__dropout=0.0)
    state, label = family.init(jax.random.key(0)), jnp.array([0, 1, 2])
    other = jnp.where(SENTENCES >= tokens.NUM_SPECIALS, 13, SENTENCES)
    _, a = family.step(state, {"x": SENTENCES, "label": label})
    _, b = family.step(state, {"x": other, "label": label})
    assert a == b
    unknown = jnp.where(SENTENCES >= tokens.NUM_SPECIALS, tokens.UNK, SENTENCES)
    p = family.classify(state, unknown)
    np.testing.assert_allclose(a["loss"], -jnp.log(p[jnp.arange(3), label]).mean(), rtol=1e-5)


@pytest.mark.slow
def test_a_fixed_encoder_stays_and_the_mix_of_its_layers_and_the_head_learn():
    family = build("elmo, mixed", optimizer__encoder_lr_scale=0.0, optimizer__weight_decay=0.1)
    state = family.init(jax.random.key(0))
    moved, _ = family.step(state, {"x": SENTENCES, "label": jnp.array([0, 1, 2])})
    jax.tree.map(np.testing.assert_array_equal, moved.params["encoder"], state.params["encoder"])
    assert (moved.params["head"]["kernel"] != state.params["head"]["kernel"]).all()
    assert (moved.params["mix"]["scores"] != state.params["mix"]["scores"]).all()


def test_evaluation_counts_what_is_right():
    family = build()
    state = family.init(jax.random.key(0))
    p = np.asarray(family.classify(state, SENTENCES))
    label = p.argmax(-1).copy()
    label[1] = (label[1] + 1) % CLASSES
    batch = {"x": SENTENCES, "label": jnp.asarray(label), "mask": jnp.ones(3)}
    sums = family.evaluate(state, batch)
    assert sums["accuracy"] == 2 and sums["count"] == 3
    np.testing.assert_allclose(sums["nll"], -np.log(p[range(3), label]).sum(), rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model__network": "cnn"},
            "model.network='cnn': must be one of none, conv, resnet, run, bag",
        ),
        ({"model__pooling": "min"}, "model.pooling='min': must be one of mean, max, last"),
        ({"network": "transformer", "model__pooling": "last"}, "model.pooling='last': must be"),
        ({"model__pooling": "first"}, "model.pooling='first': must be mean or max or last with"),
        (
            {"network": "bert, first", "model__pooling": "last"},
            "model.pooling='last': must be mean",
        ),
        (
            {"network": "elmo, mixed", "model__pooling": "last"},
            "model.pooling='last': must be mean",
        ),
        (
            {"network": "elmo, mixed", "model__elmo__char_filters": (1, 2)},
            "model.elmo.char_filters",
        ),
        ({"network": "bert, max", "model__bert__num_heads": 3}, "model.bert.num_heads=3: must"),
        ({"network": "bert, max", "model__bert__max_length": 6}, "data.length=6: must be below"),
        (
            {"optimizer__encoder_lr_scale": -0.1},
            "optimizer.encoder_lr_scale=-0.1: must be at least 0",
        ),
        ({"model__bigrams": 5}, "model.bigrams=5: must be 0 with model.network=recurrent"),
        ({"augment__rate": 0.2}, "augment.rate=0.2: needs augment.workdir"),
        ({"model__layers": 0}, "model.layers=0: must be at least 1"),
        ({"network": "transformer", "model__num_heads": 3}, "model.num_heads=3: must divide"),
        ({"model__word_dropout": 1.5}, "model.word_dropout=1.5: must be at least 0"),
        ({"classes": 0}, "data.name='python_docs': must be sentences or pictures with labels"),
        ({"kind": "text"}, "data.name='python_docs': must be sentences or pictures with labels"),
    ],
)
def test_mistakes_are_told_in_a_line(changes, message):
    with pytest.raises(ConfigError, match=f"config.{message}"):
        build(**changes)
