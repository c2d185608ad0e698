"""Attention: queries score keys and are answered by the values, weighted by their scores.

Everything is a plain function of arrays. A mask is boolean, True where a query may see a key; it
has axes (B, Q, K), of which any may be 1, so that masks combine by `&`. What a query may not see
has no weight and no gradient, exactly; a query that may see nothing is answered by zeros. Weights
are computed in at least float32.

Shapes: B batch, Q queries, K keys, D features, H heads, G groups of heads that share their keys.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.core.tokens import PAD
from genjax.ops.precision import at_least_float32


def dot_scores(query_BxQxD: jax.Array, key_BxKxD: jax.Array) -> jax.Array:
    """`q . k`, (B, Q, K). Source: Luong et al. 2015 (Effective approaches), equation 8, "dot"."""
    wider = jnp.promote_types(query_BxQxD.dtype, jnp.float32)
    return jnp.einsum("bqd,bkd->bqk", query_BxQxD, key_BxKxD, preferred_element_type=wider)


def scaled_dot_scores(query_BxQxD: jax.Array, key_BxKxD: jax.Array) -> jax.Array:
    """`q . k / sqrt(D)`, (B, Q, K). Source: Vaswani et al. 2017, equation 1."""
    return dot_scores(query_BxQxD / math.sqrt(query_BxQxD.shape[-1]), key_BxKxD)


def general_scores(
    query_BxQxD: jax.Array, key_BxKxE: jax.Array, kernel_DxE: jax.Array
) -> jax.Array:
    """`q W k`, (B, Q, K). Source: Luong et al. 2015, equation 8, "general"."""
    return dot_scores(query_BxQxD @ kernel_DxE, key_BxKxE)


def additive_scores(query_BxQxA: jax.Array, key_BxKxA: jax.Array, weight_A: jax.Array) -> jax.Array:
    """`v . tanh(q + k)`, (B, Q, K).

    Source: Bahdanau et al. 2015 (Neural machine translation), appendix A.1.2.

    Args:
      query_BxQxA: the queries' part of the hidden layer, `W s`.
      key_BxKxA: the keys' part, `U h`; of a sentence that is asked often it is computed once.
      weight_A: `v`.
    """
    sizes = checks.floats("B Q A", query=query_BxQxA)
    checks.floats("B K A", sizes, key=key_BxKxA)
    checks.floats("A", sizes, weight=weight_A)
    hidden_BxQxKxA = jnp.tanh(query_BxQxA[:, :, None] + key_BxKxA[:, None])
    wider = jnp.promote_types(hidden_BxQxKxA.dtype, jnp.float32)
    return jnp.matmul(hidden_BxQxKxA, weight_A, preferred_element_type=wider)


def masked_softmax(scores: jax.Array, mask: jax.Array | None = None) -> jax.Array:
    """Weights over the last axis: a softmax of the scores where `mask`, 0 elsewhere.

    Args:
      scores: (…, K).
      mask: boolean, with the axes of `scores`, each of that length or 1; None: all may be seen.

    Raises:
      ValueError: a mask of another shape, or of numbers.
    """
    weights, total = _exponentials(scores, mask)
    return weights / total


def _exponentials(scores: jax.Array, mask: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """Weights and what they are to be divided by."""
    scores = at_least_float32(scores)
    if mask is not None:
        checks.spreads("mask", mask, "scores", scores, checks.booleans)
        scores = jnp.where(mask, scores, -jnp.inf)
    # Finite where all is masked, so that nothing below is inf - inf or 0 / 0.
    top = jnp.max(scores, -1, keepdims=True, initial=jnp.finfo(scores.dtype).min)
    weights = jnp.exp(scores - jax.lax.stop_gradient(top))
    total = weights.sum(-1, keepdims=True)
    return weights, jnp.where(total == 0, 1, total)


def attend(
    scores_BxQxK: jax.Array, value_BxKxD: jax.Array, mask: jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Answers (B, Q, D), of the dtype of the values, and the weights (B, Q, K) they come from."""
    weights = masked_softmax(scores_BxQxK, mask)
    return jnp.matmul(weights.astype(value_BxKxD.dtype), value_BxKxD), weights


def multi_head_attention(
    query_BxHxQxD: jax.Array, key_BxGxKxD: jax.Array, value_BxGxKxD: jax.Array,
    mask: jax.Array | None = None, *,
    on_weights: Callable[[jax.Array], jax.Array] = lambda weights: weights,
) -> jax.Array:  # fmt: skip
    """Scaled dot attention of each head by itself; (B, H, Q, D), of the dtype of the values.

    Heads h of the same `h // (H / G)` share keys and values: multi-head attention for G = H
    (Vaswani et al. 2017, section 3.2.2), grouped queries (Ainslie et al. 2023), and multi-query
    attention for G = 1.

    Args:
      query_BxHxQxD, key_BxGxKxD, value_BxGxKxD: heads before time; G divides H.
      mask: (B, Q, K), the same for all heads.
      on_weights: what is done to the weights (B, G, H / G, Q, K) before they are divided by their
        sum, such as dropout.
    """
    sizes = checks.floats("B H Q D", query=query_BxHxQxD)
    checks.floats("B G K D", sizes, key=key_BxGxKxD, value=value_BxGxKxD)
    batch, heads, queries, size = query_BxHxQxD.shape
    groups, keys = key_BxGxKxD.shape[1:3]
    if mask is not None:
        of_one_head = jax.ShapeDtypeStruct((batch, queries, keys), bool)
        checks.spreads("mask", mask, "the weights of a head", of_one_head, checks.booleans)
    # The heads of a group are further queries of it, so that all are two batched products.
    query = (query_BxHxQxD / math.sqrt(size)).reshape(batch, groups, -1, size)
    scores = jnp.einsum(
        "bgqd,bgkd->bgqk", query, key_BxGxKxD,
        preferred_element_type=jnp.promote_types(query.dtype, jnp.float32),
    ).reshape(batch, groups, heads // groups, queries, keys)  # fmt: skip
    weights, total = _exponentials(scores, None if mask is None else mask[:, None, None])
    weights = on_weights(weights).astype(value_BxGxKxD.dtype).reshape(batch, groups, -1, keys)
    # Divided behind the product: there are fewer answers than weights, backward too.
    answers = jnp.matmul(weights, value_BxGxKxD, preferred_element_type=total.dtype)
    answers = answers / total.reshape(batch, groups, -1, 1)
    return answers.astype(value_BxGxKxD.dtype).reshape(batch, heads, queries, size)


def causal_mask(queries: int, keys: int | None = None) -> jax.Array:
    """(1, Q, K): a query sees the keys up to its own place.

    Args:
      queries: number of places that ask.
      keys: number of places that are seen, of which the queries are the last; None: the same.
    """
    keys = queries if keys is None else keys
    place = jnp.arange(queries)[:, None] + (keys - queries)
    return (jnp.arange(keys) <= place)[None]


def padding_mask(tokens_BxK: jax.Array) -> jax.Array:
    """(B, 1, K): tokens are seen, padding is not."""
    return (tokens_BxK != PAD)[:, None]


def segment_mask(query_BxQ: jax.Array, key_BxK: jax.Array | None = None) -> jax.Array:
    """(B, Q, K): places of one segment see each other; segment 0 is padding and is not seen.

    Args:
      query_BxQ: the number of each place's segment, from 1 on.
      key_BxK: likewise of the keys; None: the same.
    """
    key_BxK = query_BxQ if key_BxK is None else key_BxK
    return (query_BxQ[:, :, None] == key_BxK[:, None]) & (key_BxK != 0)[:, None]
