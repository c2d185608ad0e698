"""The conditional random field against all tag sequences, enumerated in float64."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from genjax import losses

STEPS, TAGS = 4, 3
LENGTHS = np.array([4, 2, 1, 0])


def draw(seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    scores = scale * rng.normal(size=(len(LENGTHS), STEPS, TAGS))
    parts = [scale * rng.normal(size=s) for s in ((TAGS, TAGS), (TAGS,), (TAGS,))]
    tags = rng.integers(0, TAGS, (len(LENGTHS), STEPS))
    return scores, tags, losses.Transitions(*parts)


def score_by_hand(scores, tags, transitions):
    """Of one sequence without padding."""
    if not len(tags):
        return 0.0
    pair, start, end = transitions
    words = sum(s[k] for s, k in zip(scores, tags))
    return start[tags[0]] + end[tags[-1]] + words + sum(pair[p] for p in itertools.pairwise(tags))


@pytest.mark.parametrize(("seed", "scale"), [(0, 1.0), (0, 200.0), (1, 1.0), (2, 1.0)])
def test_likelihoods_and_the_best_tags_are_those_of_enumeration(seed, scale):
    scores, tags, transitions = draw(seed, scale)
    score = jax.jit(losses.crf_score)(scores, tags, LENGTHS, transitions)
    partition = jax.jit(losses.crf_log_partition)(scores, LENGTHS, transitions)
    likelihood = jax.jit(losses.crf_log_likelihood)(scores, tags, LENGTHS, transitions)
    best, best_score = jax.jit(losses.crf_viterbi)(scores, LENGTHS, transitions)
    assert best.dtype == jnp.int32
    for b, length in enumerate(LENGTHS):
        every = list(itertools.product(range(TAGS), repeat=length))
        totals = [score_by_hand(scores[b], y, transitions) for y in every]
        own = score_by_hand(scores[b], tags[b, :length], transitions)
        found = score[b], partition[b], likelihood[b], best_score[b]
        expected = own, logsumexp(totals), own - logsumexp(totals), max(totals)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
        assert tuple(best[b, :length].tolist()) == every[int(np.argmax(totals))]
        assert (best[b, length:] == 0).all()


def test_padding_has_no_gradient_and_no_effect():
    scores, tags, transitions = draw()

    def total(scores, transitions):
        return losses.crf_log_likelihood(scores, tags, LENGTHS, transitions).sum()

    gradient = jax.jit(jax.grad(total))(scores, transitions)
    padding = np.arange(STEPS) >= LENGTHS[:, None]
    assert (gradient[padding] == 0).all() and (gradient[~padding] != 0).all()
    other = np.where(padding[..., None], 1e4, scores)
    likelihood = jax.jit(losses.crf_log_likelihood)
    changed = likelihood(other, np.where(padding, 2, tags), LENGTHS, transitions)
    np.testing.assert_array_equal(changed, likelihood(scores, tags, LENGTHS, transitions))


def test_a_row_without_words_costs_nothing_and_has_no_gradient():
    scores, tags, transitions = draw()
    value, gradient = jax.value_and_grad(
        lambda t: losses.crf_log_likelihood(scores, tags, 0 * LENGTHS, t).sum()
    )(jax.tree.map(jnp.asarray, transitions))
    assert value == 0 and all((g == 0).all() for g in gradient)


def test_what_is_forbidden_never_comes():
    """A transition of -1e4 is never taken, and the likelihood stays finite."""
    scores, tags, transitions = draw()
    pair = np.array(transitions.pair_KxK)
    pair[0, 1] = -1e4
    forbidden = transitions._replace(pair_KxK=pair)
    best, _ = jax.jit(losses.crf_viterbi)(scores, LENGTHS, forbidden)
    assert all((a, b) != (0, 1) for a, b in itertools.pairwise(best[0].tolist()))
    likelihood = jax.jit(losses.crf_log_likelihood)(scores, tags, LENGTHS, forbidden)
    assert np.isfinite(likelihood).all()
