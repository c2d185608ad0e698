"""Linear-chain conditional random field: the log-likelihood of a tag sequence, and the best one.

Of a sequence with scores s_t(k), the score of tags y is

    score(y) = start(y_1) + sum_t s_t(y_t) + sum_{t>1} transition(y_{t-1}, y_t) + end(y_T)

and log p(y) = score(y) - log sum_{y'} exp score(y'), the sum by the forward algorithm, in at least
float32. Sources: Lafferty et al. 2001; Lample et al. 2016 (Neural architectures for named entity
recognition), equations 1 and 2.

Arguments of other shapes or dtypes raise `ValueError`, and so do a length outside 0 … T and, within
a row's length, a tag outside 0 … K - 1. Where these are not known, as under jit, such a row's value
is NaN: no tag is ignored.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core import checks
from genjax.ops.precision import at_least_float32
from genjax.ops.scanned import scan


class Transitions(NamedTuple):
    """Scores of tags beside those of their words.

    Attributes:
      pair_KxK: from a tag (row) to the next one (column).
      start_K, end_K: of the first and of the last tag.
    """

    pair_KxK: jax.Array
    start_K: jax.Array
    end_K: jax.Array


def crf_log_likelihood(
    scores_BxTxK: jax.Array, tags_BxT: jax.Array, lengths_B: jax.Array, transitions: Transitions
) -> jax.Array:
    """Computes log p(tags), in nats, (B,); 0 for a row without words.

    Args:
      scores_BxTxK: of each tag at each word.
      tags_BxT: int32; beyond a row's length any tags.
      lengths_B: int32, words of each row; of a mask (B, T), `mask.sum(-1)`.
      transitions: see `Transitions`.

    Examples:
      >>> equal = Transitions(jnp.zeros((3, 3)), jnp.zeros(3), jnp.zeros(3))  # 3^2 sequences
      >>> tags, lengths = jnp.array([[0, 2]]), jnp.array([2])
      >>> crf_log_likelihood(jnp.zeros((1, 2, 3)), tags, lengths, equal) / jnp.log(3.0)
      Array([-2.], dtype=float32)
    """
    score_B = crf_score(scores_BxTxK, tags_BxT, lengths_B, transitions)
    return score_B - crf_log_partition(scores_BxTxK, lengths_B, transitions)


def crf_score(
    scores_BxTxK: jax.Array, tags_BxT: jax.Array, lengths_B: jax.Array, transitions: Transitions
) -> jax.Array:
    """Computes the score of tags, (B,); arguments as for `crf_log_likelihood`.

    Examples:
      >>> ones = Transitions(jnp.ones((3, 3)), jnp.ones(3), jnp.ones(3))  # start, one pair, end
      >>> crf_score(jnp.ones((1, 2, 3)), jnp.array([[0, 2]]), jnp.array([2]), ones)
      Array([5.], dtype=float32)
    """
    _check(scores_BxTxK, lengths_B, transitions, tags_BxT)
    scores_BxTxK, transitions = at_least_float32(scores_BxTxK), _wide(transitions)
    steps, num_tags = scores_BxTxK.shape[1:]
    # Tags as one-hot rows, 0 at padding: the gradients of products are no scatters.
    tag_BxTxK = jax.nn.one_hot(tags_BxT, num_tags, dtype=scores_BxTxK.dtype)
    keep_BxT = _keep(scores_BxTxK, lengths_B)
    tag_BxTxK *= keep_BxT[..., None]
    is_last_BxT = jnp.arange(steps) == lengths_B[:, None] - 1
    words_B = (tag_BxTxK * scores_BxTxK).sum((1, 2))
    pairs_B = ((tag_BxTxK[:, :-1] @ transitions.pair_KxK) * tag_BxTxK[:, 1:]).sum((1, 2))
    last_BxK = (tag_BxTxK * is_last_BxT[..., None]).sum(1)
    ends_B = tag_BxTxK[:, 0] @ transitions.start_K + last_BxK @ transitions.end_K
    known_BxT = (tags_BxT >= 0) & (tags_BxT < num_tags) | ~keep_BxT
    right_B = known_BxT.all(1) & _fits(steps, lengths_B)
    return jnp.where(right_B, words_B + pairs_B + ends_B, jnp.nan)


def crf_log_partition(
    scores_BxTxK: jax.Array, lengths_B: jax.Array, transitions: Transitions
) -> jax.Array:
    """Computes log of the sum of exp(score) over all tags, by the forward algorithm, (B,).

    Examples:
      >>> equal = Transitions(jnp.zeros((3, 3)), jnp.zeros(3), jnp.zeros(3))
      >>> crf_log_partition(jnp.zeros((1, 2, 3)), jnp.array([2]), equal) / jnp.log(3.0)
      Array([2.], dtype=float32)
    """
    _check(scores_BxTxK, lengths_B, transitions)
    scores_BxTxK, transitions = at_least_float32(scores_BxTxK), _wide(transitions)
    scores_TxBxK = jnp.swapaxes(scores_BxTxK, 0, 1)
    keep_TxB = _keep(scores_BxTxK, lengths_B).T

    def step(alpha_BxK: jax.Array, inputs: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        scores_BxK, keep_B = inputs
        paths_BxKxK = alpha_BxK[:, :, None] + transitions.pair_KxK
        new = scores_BxK + jax.nn.logsumexp(paths_BxKxK, axis=1)
        return jnp.where(keep_B[:, None], new, alpha_BxK), None

    first_BxK = transitions.start_K + scores_TxBxK[0]
    alpha_BxK, _ = scan(step, first_BxK, (scores_TxBxK[1:], keep_TxB[1:]))
    total_B = jax.nn.logsumexp(alpha_BxK + transitions.end_K, axis=-1)
    return _of_rows(total_B, len(scores_TxBxK), lengths_B)


def crf_viterbi(
    scores_BxTxK: jax.Array, lengths_B: jax.Array, transitions: Transitions
) -> tuple[jax.Array, jax.Array]:
    """Finds the tags of the highest score, int32 (B, T), 0 beyond a row's length; and the score.

    Of tags that score the same, the one of the least id wins. Arguments as for
    `crf_log_likelihood`.

    Examples:
      >>> equal = Transitions(jnp.zeros((2, 2)), jnp.zeros(2), jnp.zeros(2))
      >>> crf_viterbi(jnp.array([[[0.0, 1.0], [3.0, 2.0]]]), jnp.array([2]), equal)
      (Array([[1, 0]], dtype=int32), Array([4.], dtype=float32))
    """
    _check(scores_BxTxK, lengths_B, transitions)
    scores_BxTxK, transitions = at_least_float32(scores_BxTxK), _wide(transitions)
    scores_TxBxK = jnp.swapaxes(scores_BxTxK, 0, 1)
    keep_BxT = _keep(scores_BxTxK, lengths_B)
    stay_K = jnp.arange(scores_BxTxK.shape[-1])

    def step(best_BxK: jax.Array, inputs: tuple[jax.Array, jax.Array]) -> Any:
        scores_BxK, keep_B = inputs
        paths_BxKxK = best_BxK[:, :, None] + transitions.pair_KxK
        new = scores_BxK + paths_BxKxK.max(axis=1)
        best_BxK = jnp.where(keep_B[:, None], new, best_BxK)
        return best_BxK, jnp.where(keep_B[:, None], paths_BxKxK.argmax(axis=1), stay_K)

    def back(tag_B: jax.Array, from_BxK: jax.Array) -> tuple[jax.Array, jax.Array]:
        before_B = jnp.take_along_axis(from_BxK, tag_B[:, None], axis=1)[:, 0]
        return before_B, before_B

    first_BxK = transitions.start_K + scores_TxBxK[0]
    from_TxBxK: jax.Array
    best_BxK, from_TxBxK = scan(step, first_BxK, (scores_TxBxK[1:], keep_BxT.T[1:]))
    total_BxK = best_BxK + transitions.end_K
    last_B = total_BxK.argmax(axis=-1)
    _, tags_TxB = scan(back, last_B, from_TxBxK, reverse=True)
    tags_BxT = jnp.concatenate([tags_TxB, last_B[None]]).T.astype(jnp.int32)
    score_B = _of_rows(total_BxK.max(axis=-1), len(scores_TxBxK), lengths_B)
    return jnp.where(keep_BxT, tags_BxT, 0), score_B


def _of_rows(value_B: jax.Array, steps: int, lengths_B: jax.Array) -> jax.Array:
    """Returns the value of each row: 0 of one without words, NaN of a length out of range."""
    value_B = jnp.where(lengths_B == 0, 0, value_B)
    return jnp.where(_fits(steps, lengths_B), value_B, jnp.nan)


def _fits(steps: int, lengths_B: jax.Array) -> jax.Array:
    return (lengths_B >= 0) & (lengths_B <= steps)


def _check(
    scores_BxTxK: jax.Array,
    lengths_B: jax.Array,
    transitions: Transitions,
    tags_BxT: jax.Array | None = None,
) -> None:
    sizes = checks.floats("B T K", scores_BxTxK=scores_BxTxK)
    pair_KxK, start_K, end_K = transitions
    checks.floats("K K", sizes, **{"transitions.pair_KxK": pair_KxK})
    checks.floats("K", sizes, **{"transitions.start_K": start_K, "transitions.end_K": end_K})
    checks.integers("B", sizes, lengths_B=lengths_B)
    checks.within("lengths_B", lengths_B, 0, scores_BxTxK.shape[1])
    if tags_BxT is not None:
        checks.integers("B T", sizes, tags_BxT=tags_BxT)
        if checks.is_known(lengths_B):
            inside_BxT = np.arange(scores_BxTxK.shape[1]) < np.asarray(lengths_B)[:, None]
            checks.indices("tags_BxT", tags_BxT, scores_BxTxK.shape[2], inside_BxT)


def _keep(scores_BxTxK: jax.Array, lengths_B: jax.Array) -> jax.Array:
    return jnp.arange(scores_BxTxK.shape[1]) < lengths_B[:, None]


def _wide(transitions: Transitions) -> Transitions:
    return Transitions(*map(at_least_float32, transitions))
