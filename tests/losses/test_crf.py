"""The conditional random field against all tag sequences, enumerated in float64."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
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
    return (
        start[tags[0]] + end[tags[-1]] + sum(s[k] for s, k in zip(scores, tags))
        + sum(pair[a, b] for a, b in itertools.pairwise(tags))
    )  # fmt: skip


def all_tags(length):
    return list(itertools.product(range(TAGS), repeat=length))


@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_likelihoods_equal_enumeration(scale):
    scores, tags, transitions = draw(scale=scale)
    with jax.enable_x64(True):
        score = losses.crf_score(scores, tags, LENGTHS, transitions)
        partition = losses.crf_log_partition(scores, LENGTHS, transitions)
        got = losses.crf_log_likelihood(scores, tags, LENGTHS, transitions)
    for b, length in enumerate(LENGTHS):
        own = score_by_hand(scores[b], tags[b, :length], transitions)
        every = [score_by_hand(scores[b], y, transitions) for y in all_tags(length)]
        np.testing.assert_allclose(score[b], own, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(partition[b], logsumexp(every), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(got[b], own - logsumexp(every), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_viterbi_finds_the_best_of_all(seed):
    scores, _, transitions = draw(seed)
    tags, best = losses.crf_viterbi(scores, LENGTHS, transitions)
    assert tags.dtype == jnp.int32
    for b, length in enumerate(LENGTHS):
        every = all_tags(length)
        totals = [score_by_hand(scores[b], y, transitions) for y in every]
        assert tuple(tags[b, :length].tolist()) == every[int(np.argmax(totals))]
        np.testing.assert_allclose(best[b], max(totals), rtol=1e-5, atol=1e-6)
        assert (tags[b, length:] == 0).all()


def test_likelihoods_sum_to_one_and_pass_check_grads():
    scores, tags, transitions = draw()
    with jax.enable_x64(True):
        every = np.array(all_tags(STEPS))
        repeated = np.repeat(scores[:1], len(every), 0)
        lengths = np.full(len(every), STEPS)
        total = jnp.exp(losses.crf_log_likelihood(repeated, every, lengths, transitions)).sum()
        np.testing.assert_allclose(total, 1, rtol=1e-12)
        check_grads(
            lambda s, t: losses.crf_log_likelihood(s, tags, LENGTHS, t), (scores, transitions), 2,
            ("fwd", "rev"),
        )  # fmt: skip


def test_padding_has_no_gradient_and_no_effect():
    scores, tags, transitions = draw()

    def total(scores, transitions):
        return losses.crf_log_likelihood(scores, tags, LENGTHS, transitions).sum()

    gradient, _ = jax.grad(total, (0, 1))(jnp.asarray(scores), transitions)
    padding = np.arange(STEPS) >= LENGTHS[:, None]
    assert (gradient[padding] == 0).all() and (gradient[~padding] != 0).all()
    other = np.where(padding[..., None], 1e4, scores)
    changed = losses.crf_log_likelihood(other, np.where(padding, 2, tags), LENGTHS, transitions)
    same = losses.crf_log_likelihood(scores, tags, LENGTHS, transitions)
    np.testing.assert_array_equal(changed, same)


def test_a_row_without_words_costs_nothing_and_has_no_gradient():
    scores, tags, transitions = draw()
    none = np.zeros(len(LENGTHS), np.int32)
    value, gradient = jax.value_and_grad(
        lambda t: losses.crf_log_likelihood(scores, tags, none, t).sum()
    )(jax.tree.map(jnp.asarray, transitions))
    assert value == 0 and all((g == 0).all() for g in gradient)


def test_what_is_forbidden_never_comes():
    """A transition of -1e4 is never taken, and the likelihood stays finite."""
    scores, tags, transitions = draw()
    pair = np.array(transitions.pair_KxK)
    pair[0, 1] = -1e4
    forbidden = transitions._replace(pair_KxK=pair)
    best, _ = losses.crf_viterbi(scores, LENGTHS, forbidden)
    assert all((a, b) != (0, 1) for a, b in itertools.pairwise(best[0].tolist()))
    assert np.isfinite(losses.crf_log_likelihood(scores, tags, LENGTHS, forbidden)).all()


def test_bfloat16_scores_are_summed_in_float32():
    scores, tags, transitions = draw()
    low = jnp.asarray(scores, jnp.bfloat16)
    got = losses.crf_log_likelihood(low, tags, LENGTHS, transitions)
    expected = losses.crf_log_likelihood(low.astype(jnp.float32), tags, LENGTHS, transitions)
    assert got.dtype == jnp.float32
    np.testing.assert_array_equal(got, expected)
