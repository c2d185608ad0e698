"""Recurrent language models: what they read, what they predict, and how they write."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core import tokens
from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.families import recurrent_lm
from tests.families.compiled import compiled

VOCAB, LENGTH = 11, 7


def build(kind="text", **changes):
    c = recurrent_lm.default_config()
    c.update({"steps": 1, "batch_size": 4})
    c.model.update({"embed_dim": 6, "hidden": 5})
    c.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    shape = (LENGTH + 1,) if kind == "text" else (LENGTH,)
    return compiled(recurrent_lm.build(c, DataSpec(kind, shape, vocab_size=VOCAB), 1))


def draw(rows=3, length=LENGTH + 1, seed=0):
    return jax.random.randint(jax.random.key(seed), (rows, length), tokens.NUM_SPECIALS, VOCAB)


def sentences():
    x = np.asarray(draw(3, LENGTH)).copy()
    for row, length in enumerate((LENGTH, 4, 1)):
        x[row, length - 1], x[row, length:] = tokens.EOS, tokens.PAD
    return jnp.asarray(x)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_text_written_step_by_step_has_the_scores_of_the_whole(cell, tied):
    family = build(model__cell=cell, model__tie_embeddings=tied)
    state, x = family.init(jax.random.key(1)), draw()
    nll = family.score(state, x)
    logits, carry = family.prefill(state, x[:, :1])
    for t in range(1, LENGTH + 1):
        step = -jnp.take_along_axis(jax.nn.log_softmax(logits), x[:, t, None], 1)[:, 0]
        np.testing.assert_allclose(step, nll[:, t - 1], rtol=1e-5, atol=1e-5)
        logits, carry = family.decode_step(state, carry, x[:, t])


@pytest.mark.parametrize("kind", ["text", "sentence"])
def test_prompts_of_different_lengths_are_each_as_if_alone(kind):
    family = build(kind)
    state, x = family.init(jax.random.key(1)), draw(4, 5)
    lengths = [5, 3, 1, 0]
    padded = jnp.where(jnp.arange(5) < jnp.array(lengths)[:, None], x, tokens.PAD)
    logits, carry = family.prefill(state, padded)
    for row, length in enumerate(lengths):
        alone, own = family.prefill(state, x[row : row + 1, :length])
        np.testing.assert_allclose(logits[row], alone[0], rtol=1e-5, atol=1e-5)
        assert all(
            np.allclose(a[row], b[0], atol=1e-5)
            for a, b in zip(jax.tree.leaves(carry), jax.tree.leaves(own))
        )


def test_sentences_begin_behind_bos_and_padding_costs_nothing():
    family = build("sentence")
    state, x = family.init(jax.random.key(1)), sentences()
    nll = family.score(state, x)
    assert nll.shape == x.shape and (nll[x == tokens.PAD] == 0).all()
    assert (nll[x != tokens.PAD] > 0).all()
    first, _ = family.prefill(state, jnp.zeros((1, 0), jnp.int32))
    np.testing.assert_allclose(nll[0, 0], -jax.nn.log_softmax(first)[0, x[0, 0]], rtol=1e-5)
    short = family.score(state, x[1:2, :4])
    np.testing.assert_allclose(nll[1, :4], short[0], rtol=1e-5)


def test_the_loss_is_one_mean_over_the_tokens_of_the_batch():
    family = build("sentence")
    state, x = family.init(jax.random.key(1)), sentences()
    expected = family.score(state, x).sum() / (x != tokens.PAD).sum()
    _, metrics = family.step(state, {"x": x})
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-5)
    sums = family.evaluate(state, {"x": x, "mask": jnp.ones(3)})
    found = family.summary({name: value / sums["count"] for name, value in sums.items()})
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-5)
    np.testing.assert_allclose(found["perplexity"], np.exp(expected), rtol=1e-5)


def test_chunks_change_no_step():
    """Up to float32: logits are made in parts, and again for the gradient."""
    changes = {"model__dropout": 0.5, "model__variational": True, "loss__bos_rate": 0.5}
    whole, parts = build(**changes), build(loss__logits_chunk=3, **changes)
    state, batch = whole.init(jax.random.key(1)), {"x": draw(4)}
    a, b = (family.step(state, batch) for family in (whole, parts))
    np.testing.assert_allclose(a[1]["loss"], b[1]["loss"], rtol=1e-6)
    for p, q in zip(jax.tree.leaves(a[0].params), jax.tree.leaves(b[0].params)):
        np.testing.assert_allclose(p, q, rtol=1e-3, atol=1e-5)


def test_bos_hides_first_tokens_in_training_alone():
    """With all first tokens hidden, they make no difference to a step; to a score they do."""
    family = build(loss__bos_rate=0.999999)
    state, x = family.init(jax.random.key(1)), draw(4)
    other = x.at[:, 0].set(jnp.where(x[:, 0] == 5, 6, 5))
    assert family.step(state, {"x": x})[1] == family.step(state, {"x": other})[1]
    score = family.score
    assert (score(state, x)[:, 0] != score(state, other)[:, 0]).all()


def test_samples_are_texts_of_real_tokens():
    family = build()
    state = family.init(jax.random.key(1))
    x = np.asarray(family.sample(state, jax.random.key(2), 5))
    assert x.shape == (5, LENGTH + 1) and x.dtype == np.int32
    assert not np.isin(x, (tokens.BOS, tokens.MASK)).any()
    for row in x:
        end = np.flatnonzero(row == tokens.EOS)
        assert (row[end[0] + 1 :] == tokens.PAD).all() if len(end) else (row != tokens.PAD).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__cell": "gpu"}, "model.cell='gpu': must be one of rnn, gru, lstm"),
        ({"model__hidden": 0}, "model.hidden=0: must be at least 1"),
        ({"model__dropout": 1.0}, "model.dropout=1.0: must be at least 0 and below 1"),
        ({"loss__logits_chunk": -1}, "loss.logits_chunk=-1: must be at least 0"),
        ({"loss__bos_rate": 1.0}, "loss.bos_rate=1.0: must be at least 0 and below 1"),
        ({"data__packed": True}, "data.packed=True: must be False"),
        ({"kind": "pair"}, "data.name='python_docs': must be running text or sentences"),
    ],
)
def test_mistakes_are_told_in_a_line(changes, message):
    with pytest.raises(ConfigError, match=f"config.{message}"):
        build(**changes)
