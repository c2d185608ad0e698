"""Beam search lies between greedy and exhaustive search, and reaches both."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.tokens import EOS, MASK, NUM_SPECIALS, PAD, UNK
from genjax.generation import GREEDY, Decoder, beam_search
from tests.generation.models import Hashing, decoder, padded, search, write

SOURCES = padded([[5], [6, 7, 5], [], [7, 7]])
ALPHAS = (0.0, 0.6, 1.5)
VOCAB = NUM_SPECIALS + 2
ONE, FEW, ALL = ({"width": w, "n_best": n} for w, n in ((1, 1), (5, 5), (128, 6)))


def all_texts(model, source, limit, alpha):
    """Every text there is with its score, highest first."""
    words = [i for i in range(model.vocab) if i == UNK or i >= NUM_SPECIALS]
    found = []
    for n in range(limit + 1):
        for body in itertools.product(words, repeat=n):
            text = body if n == limit else (*body, EOS)
            score = 0.0
            for i, token in enumerate(text):
                logits = model.logits([*source, *text[:i]])[[EOS, *words]]
                score += dict(zip([EOS, *words], logits))[token] - np.log(np.exp(logits).sum())
            found.append((score / ((5 + len(text)) / 6) ** alpha, list(text)))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_beam_that_holds_everything_is_exhaustive(alpha):
    model, limit = Hashing(VOCAB), 4
    ids, scores = search(model, SOURCES, limit, alpha=alpha, **ALL)
    for source, row, score in zip(SOURCES, ids.tolist(), scores):
        best = all_texts(model, [i for i in source if i], limit, alpha)[:6]
        np.testing.assert_allclose(score, [s for s, _ in best], rtol=1e-5)
        assert row == [[*t, *[PAD] * (10 - len(t))] for _, t in best]


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("restraint", [{}, {"repetition_penalty": 1.5}, {"no_repeat": 2}])
def test_a_beam_of_one_is_greedy(alpha, restraint):
    for seed in range(5):
        model = Hashing(VOCAB, seed=seed)
        ids, _ = search(model, SOURCES, 10, alpha=alpha, **restraint, **ONE)
        options, key = GREEDY._replace(**restraint), jax.random.key(0)
        expected = write(model, SOURCES, options, 10, size=10, key=key)
        np.testing.assert_array_equal(ids[:, 0], expected)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_scores_are_those_of_the_texts_and_in_order(alpha):
    model = Hashing(VOCAB)
    ids, scores = search(model, SOURCES, 8, alpha=alpha, **FEW)
    assert (np.diff(scores, axis=1) <= 0).all()
    never = [PAD, 2, MASK]
    for source, row, score in zip(SOURCES, ids.tolist(), scores):
        assert len({tuple(t) for t in row}) == 5
        for text, s in zip(row, score):
            text, log_prob = [i for i in text if i], 0.0
            for i, token in enumerate(text):
                logits = model.logits([*[j for j in source if j], *text[:i]])
                logits[never] = -np.inf
                log_prob += logits[token] - np.log(np.exp(logits).sum())
            assert s == pytest.approx(log_prob / ((5 + len(text)) / 6) ** alpha, rel=1e-4)


def test_a_wider_beam_finds_no_worse_than_greedy_and_the_widest_is_best():
    model = Hashing(VOCAB)
    greedy, best = (search(model, SOURCES, 4, **o)[1][:, 0] for o in (ONE, ALL))
    assert (best >= greedy - 1e-6).all() and (best > greedy + 1e-3).any()


def test_a_source_is_searched_as_if_it_were_alone():
    model = Hashing(VOCAB)
    together = search(model, SOURCES, 8, alpha=0.6, **FEW)
    for i in range(len(SOURCES)):
        alone = search(model, SOURCES[i : i + 1], 8, alpha=0.6, **FEW)
        np.testing.assert_array_equal(alone[0][0], together[0][i])
        np.testing.assert_allclose(alone[1][0], together[1][i], rtol=1e-6)


def test_fewer_texts_than_asked_for_have_no_score():
    ids, scores = search(Hashing(NUM_SPECIALS), SOURCES, 1, width=4, n_best=4)
    assert np.isneginf(scores[:, 2:]).all() and np.isfinite(scores[:, :2]).all()  # EOS and UNK
    assert set(ids[:, :2, 0].ravel().tolist()) == {EOS, UNK}


def test_the_search_ends_when_no_live_text_can_win():
    """A live text may gain by its length: at best its probability over lp(40) instead of lp(1)."""
    calls = []

    @jax.jit
    def run(p_eos, alpha):
        rest = (1 - p_eos) / 2
        logits = jnp.log(jnp.stack([0.0, rest, 0.0, p_eos, 0.0, rest]))

        def decode_step(cache, token_B):
            jax.debug.callback(lambda: calls.append(1))
            return jnp.tile(logits, (len(token_B), 1)), cache

        def prefill(x):
            return jnp.tile(logits, (len(x), 1)), jnp.zeros(len(x))

        return beam_search(
            Decoder(prefill, decode_step), SOURCES, 40, size=40, width=3, alpha=alpha
        )

    for p_eos, alpha, most in ((0.999, 0.0, 0), (0.999, 1.0, 0), (0.4, 0.0, 0), (0.3, 0.0, 1)):
        calls.clear()
        jax.block_until_ready(run(p_eos, alpha))
        jax.effects_barrier()
        assert len(calls) == most, (p_eos, alpha)


def test_one_program_serves_all_sources_limits_and_penalties():
    jitted = jax.jit(
        lambda x, limit, **o: beam_search(decoder(Hashing().table), x, limit, size=8, width=3, **o)
    )
    for alpha, limit, penalty in ((0.0, 3, 1.0), (0.6, 8, 1.2), (1.0, 5, 1.0)):
        jitted(SOURCES, limit, alpha=alpha, repetition_penalty=penalty, no_repeat=limit)
    assert jitted._cache_size() == 1


def test_what_cannot_be_searched_is_refused():
    with pytest.raises(ValueError, match="n_best=5: must be at least 1 and at most width=4"):
        search(Hashing(), SOURCES, 3, width=4, n_best=5)
    with pytest.raises(ValueError, match="size=6: must be below the window, 8"):
        beam_search(decoder(Hashing().table, 8), SOURCES, 6, size=6, width=2)
