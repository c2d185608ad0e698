"""Beam search: the texts of the highest score, of all or nearly so.

The score of a text Y is log p(Y) / lp(Y) with the length penalty of Wu et al. 2016 (Google's neural
machine translation system), equation 14; its length counts EOS.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.core.tokens import EOS, PAD
from genjax.generation.generate import Decoder
from genjax.generation.sampling import Sampling, restrain


class _Beams(NamedTuple):
    """Live texts, likeliest first, and the best of those that have ended."""

    ids_BxKxL: jax.Array
    log_prob_BxK: jax.Array  # -inf: there is none
    ended_BxKxL: jax.Array
    score_BxK: jax.Array  # of the ended ones, highest first; -inf: there is none
    num_ended_B: jax.Array
    done_B: jax.Array
    num_tokens: jax.Array
    cache: Any  # of B * K rows


def length_penalty(length: Any, alpha: Any) -> jax.Array:
    """Computes ((5 + length) / 6)^alpha, which a text's log probability is divided by."""
    checks.number("alpha", alpha, 0)
    return ((5 + jnp.asarray(length, jnp.float32)) / 6) ** alpha


def beam_search(
    decoder: Decoder,
    x_BxS: jax.Array,
    limit: Any,
    *,
    size: int,
    width: int,
    n_best: int = 1,
    alpha: Any = 0.0,
    repetition_penalty: Any = 1.0,
    no_repeat: Any = 0,
) -> tuple[jax.Array, jax.Array]:
    """Finds the `n_best` texts of at most `limit` tokens: their scores, and the texts.

    At every step the `width` likeliest texts live on. One that ends counts if it is itself among
    the `width` likeliest; the search of a row is done once `width` have ended, or no live text can
    come to a score as high as the `n_best` ended ones have. At the limit live texts count as they
    are. Width 1 is greedy, whatever `alpha`; a width that no step exceeds is exhaustive.

    Args:
      decoder: see `Decoder`; the search must fit into its window.
      x_BxS: prompts or sources.
      limit: the most tokens of a text, at least 1 and at most `size`.
      size: of the buffers.
      width: texts kept at each step.
      n_best: texts returned for each x, at most `width`.
      alpha: of the length penalty, at least 0; 0: none.
      repetition_penalty: see `Sampling`; scores are those of the distribution that it leaves.
      no_repeat: likewise.

    Returns:
      ids int32 (B, n_best, size), PAD behind EOS, and scores float32 (B, n_best), highest first;
      -inf where there are fewer texts.

    Raises:
      ValueError: an argument of another shape or dtype, or a number out of range.
    """
    checks.integers("B S", x_BxS=x_BxS)
    for name, number in (("width", width), ("n_best", n_best), ("size", size)):
        checks.whole(name, number, 1)
    checks.whole("limit", limit, 1, size)
    checks.number("alpha", alpha, 0)
    Sampling(repetition_penalty=repetition_penalty, no_repeat=no_repeat).check()
    if not 1 <= n_best <= width:
        raise ValueError(f"n_best={n_best}: must be at least 1 and at most width={width}")
    if decoder.window and x_BxS.shape[1] + size >= decoder.window:
        raise ValueError(f"size={size}: must be below the window, {decoder.window}, less the x")
    rows = len(x_BxS)

    def flat(x: jax.Array) -> jax.Array:
        return x.reshape(rows * width, *x.shape[2:])

    def extend(beams: _Beams, logits_RxV: jax.Array) -> _Beams:
        """Makes all texts one token longer; `logits_RxV` and the cache are of R = B * K rows."""
        logits_RxV = restrain(
            jnp.asarray(logits_RxV, jnp.float32),
            flat(beams.ids_BxKxL),
            beams.num_tokens,
            repetition_penalty,
            no_repeat,
        )
        vocab, length = logits_RxV.shape[-1], beams.num_tokens + 1
        log_prob = jax.nn.log_softmax(logits_RxV).reshape(rows, width, vocab)
        log_prob += beams.log_prob_BxK[..., None]
        # Of so many at most `width` end: `width` are left that live.
        best_BxC, index_BxC = _top_k(log_prob.reshape(rows, -1), 2 * width)
        parent_BxC, token_BxC = index_BxC // vocab, index_BxC % vocab
        ids_BxCxL = jnp.take_along_axis(beams.ids_BxKxL, parent_BxC[..., None], axis=1)
        ids_BxCxL = jax.lax.dynamic_update_slice_in_dim(
            ids_BxCxL, token_BxC[..., None], beams.num_tokens, axis=2
        )
        ends_BxC = token_BxC == EOS

        counts = ends_BxC[:, :width] & ~beams.done_B[:, None]
        score = jnp.where(counts, best_BxC[:, :width] / length_penalty(length, alpha), -jnp.inf)
        score_BxK, ended_BxKxL = _best(
            jnp.concatenate([beams.score_BxK, score], axis=1),
            jnp.concatenate([beams.ended_BxKxL, ids_BxCxL[:, :width]], axis=1),
            width,
        )
        num_ended_B = beams.num_ended_B + (score > -jnp.inf).sum(-1)

        log_prob_BxK, live_BxK = _top_k(jnp.where(ends_BxC, -jnp.inf, best_BxC), width)
        parent_BxK = jnp.take_along_axis(parent_BxC, live_BxK, axis=1)
        source_R = (jnp.arange(rows)[:, None] * width + parent_BxK).reshape(-1)
        # A live text's log probability only falls; its penalty is strongest at the limit.
        can_reach_B = log_prob_BxK[:, 0] / length_penalty(limit, alpha)
        return _Beams(
            jnp.take_along_axis(ids_BxCxL, live_BxK[..., None], axis=1),
            log_prob_BxK,
            ended_BxKxL,
            score_BxK,
            num_ended_B,
            (num_ended_B >= width) | (can_reach_B <= score_BxK[:, n_best - 1]),
            length,
            jax.tree.map(lambda x: x[source_R], beams.cache),
        )

    def step(beams: _Beams) -> _Beams:
        last_BxK = jax.lax.dynamic_index_in_dim(
            beams.ids_BxKxL, beams.num_tokens - 1, axis=2, keepdims=False
        )
        logits_RxV, cache = decoder.decode_step(beams.cache, flat(last_BxK))
        return extend(beams._replace(cache=cache), logits_RxV)

    def going(beams: _Beams) -> jax.Array:
        return (beams.num_tokens < limit) & ~beams.done_B.all()

    logits, cache = jax.tree.map(lambda x: jnp.repeat(x, width, axis=0), decoder.prefill(x_BxS))
    nothing = jnp.full((rows, width, size), PAD, jnp.int32)
    none = jnp.full((rows, width), -jnp.inf, jnp.float32)
    beams = _Beams(
        nothing,
        none.at[:, 0].set(0.0),
        nothing,
        none,
        jnp.zeros(rows, jnp.int32),
        jnp.zeros(rows, bool),
        jnp.int32(0),
        cache,
    )
    beams = jax.lax.while_loop(going, step, extend(beams, logits))
    cut = beams.log_prob_BxK / length_penalty(beams.num_tokens, alpha)
    score_BxN, ids_BxNxL = _best(
        jnp.concatenate([beams.score_BxK, jnp.where(beams.done_B[:, None], -jnp.inf, cut)], axis=1),
        jnp.concatenate([beams.ended_BxKxL, beams.ids_BxKxL], axis=1),
        n_best,
    )
    return ids_BxNxL, score_BxN


def _best(score_BxC: jax.Array, ids_BxCxL: jax.Array, n: int) -> tuple[jax.Array, jax.Array]:
    score_BxN, index_BxN = _top_k(score_BxC, n)
    return score_BxN, jnp.take_along_axis(ids_BxCxL, index_BxN[..., None], axis=1)


def _top_k(x: jax.Array, k: int) -> Any:
    """Calls `jax.lax.top_k` behind a barrier: XLA sorts all of `x` where only a part is used."""
    return jax.lax.optimization_barrier(jax.lax.top_k(x, k))
