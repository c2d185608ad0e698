"""Which tokens may come next, against NumPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from genjax.core.tokens import BOS, EOS, MASK, NUM_SPECIALS, PAD
from genjax.generation import GREEDY, Sampling, most_likely, restrain, sample

VOCAB = 12
LOGITS = arrays.arrays(
    np.float32, (3, VOCAB), elements=st.integers(-40, 40).map(lambda i: i / 8)
)  # ties are not rare
cut = jax.jit(most_likely)
restrained = jax.jit(restrain)


def softmax(x):
    p = np.exp(x - x.max())
    return p / p.sum()


def expected(row, top_k, top_p, min_p):
    """The tokens that may be drawn, each limit applied to what the last one left."""
    order = sorted(range(VOCAB), key=lambda i: -row[i])
    order = order[:top_k] if top_k else order
    p = softmax(row[order].astype(np.float64))
    nucleus, held = [], 0.0
    for i, share in zip(order, p):
        if not nucleus or held < top_p - 1e-6 or top_p == 1:
            nucleus.append(i)
            held += share
    p = softmax(row[nucleus].astype(np.float64))
    kept = [i for i, share in zip(nucleus, p) if share >= min_p * p[0] * (1 - 1e-6)]
    return {i for i in range(VOCAB) if row[i] >= row[kept].min()}  # and what equals the last


@settings(max_examples=200, deadline=None)
@given(
    LOGITS,
    st.integers(0, VOCAB + 2),
    st.sampled_from([0.01, 0.3, 0.77, 0.95, 1.0]),
    st.sampled_from([0.0, 0.02, 0.3, 1.0]),
)
def test_the_likeliest_tokens_are_those_of_numpy(logits, top_k, top_p, min_p):
    found = np.asarray(cut(logits, top_k, top_p, min_p))
    for row, kept in zip(logits, found):
        assert set(np.flatnonzero(np.isfinite(kept))) == expected(row, top_k, top_p, min_p)
        np.testing.assert_array_equal(kept[np.isfinite(kept)], row[np.isfinite(kept)])


def test_no_limit_leaves_the_logits_as_they_are():
    x = np.random.default_rng(0).normal(size=(2, VOCAB)).astype(np.float32)
    x[0, 3] = -np.inf
    np.testing.assert_array_equal(cut(x, 0, 1.0, 0.0), x)


def test_draws_have_the_probabilities_of_the_logits_at_a_temperature():
    row, n = np.random.default_rng(1).normal(size=VOCAB).astype(np.float32), 40_000
    keys = jax.random.split(jax.random.key(0), n)
    drawn = sample(keys, jnp.broadcast_to(row, (n, VOCAB)), Sampling(temperature=0.7))
    share = np.bincount(np.asarray(drawn), minlength=VOCAB) / n
    p = softmax(row.astype(np.float64) / 0.7)
    assert (np.abs(share - p) < 5 * np.sqrt(p * (1 - p) / n)).all()


def test_temperature_0_and_top_k_of_1_take_the_likeliest():
    x = np.random.default_rng(2).normal(size=(50, VOCAB)).astype(np.float32)
    keys = jax.random.split(jax.random.key(0), 50)
    for options in (GREEDY, Sampling(top_k=1), Sampling(temperature=9.0, min_p=1.0)):
        np.testing.assert_array_equal(sample(keys, x, options), x.argmax(-1))


WRITTEN = st.lists(st.integers(NUM_SPECIALS, VOCAB - 1), min_size=0, max_size=9)


@settings(max_examples=200, deadline=None)
@given(LOGITS, st.lists(WRITTEN, min_size=3, max_size=3), st.integers(1, 4))
def test_no_sequence_is_repeated(logits, rows, n):
    count = min(map(len, rows))
    written = np.zeros((3, 9), np.int32)
    written[:, :count] = [row[:count] for row in rows]
    found = np.asarray(restrained(logits, written, count, 1.0, n))
    for row, kept in zip(written[:, :count].tolist(), found):
        seen = {tuple(row[i : i + n]) for i in range(count - n + 1)}
        last = row[count - n + 1 :] if n > 1 else []
        banned = {i for i in range(VOCAB) if len(last) == n - 1 and (*last, i) in seen}
        assert set(np.flatnonzero(np.isneginf(kept))) == banned | {PAD, BOS, MASK}


def test_where_every_token_would_repeat_all_may():
    written = np.array([[*range(VOCAB)]], np.int32)
    x = np.zeros((1, VOCAB), np.float32)
    found = np.asarray(restrained(x, written, VOCAB, 1.0, 1))
    assert set(np.flatnonzero(np.isfinite(found[0]))) == set(range(VOCAB)) - {PAD, BOS, MASK}


def test_the_penalty_makes_written_tokens_less_likely_whatever_their_sign():
    x = np.full((1, VOCAB), 2.0, np.float32)
    x[0, 7:] = -2.0
    written = np.array([[5, 7, 5, PAD]], np.int32)
    found = np.asarray(restrained(x, written, 3, 4.0, 0))[0]
    assert found[[5, 6, 7, 8, EOS]].tolist() == [0.5, 2.0, -8.0, -2.0, 2.0]


def test_one_program_serves_all_settings():
    jitted = jax.jit(sample)
    keys, x = jax.random.split(jax.random.key(0), 2), jnp.zeros((2, VOCAB))
    for options in (GREEDY, Sampling(0.5, 3, 0.9, 0.1), Sampling(2.0, 0, 1.0, 0.0)):
        jitted(keys, x, options)
    assert jitted._cache_size() == 1


@pytest.mark.parametrize("top_p", [0.0, 1e-9])
def test_the_likeliest_token_always_stays(top_p):
    x = np.arange(VOCAB, dtype=np.float32)[None]
    assert np.isfinite(cut(x, 0, top_p, 0.0)).sum() == 1
