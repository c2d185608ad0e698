"""Attention: queries score keys, and their answers are the values weighted by the scores.

A mask is one of `genjax.ops.masks`, or boolean, True where a query may see a key; that has axes
(B, Q, K), of which any may be 1. What a query may not see has no weight and no gradient, exactly;
the answer to a query that may see nothing is 0. Weights are computed in at least float32.

Shapes: B batch, Q queries, K keys, D features, H heads, G groups of heads that share their keys.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops import attention_kernels, platform
from genjax.ops.masks import Mask, dense
from genjax.ops.precision import at_least_float32, wide_einsum

_SCORES = 2**28  # bytes of scores that accelerators keep at once
_LEAST = 128  # queries of a block


def dot_scores(query_BxQxD: jax.Array, key_BxKxD: jax.Array) -> jax.Array:
    """Computes `q . k`, (B, Q, K). Source: Luong et al. 2015 (Effective approaches), equation 8."""
    return wide_einsum("bqd,bkd->bqk", query_BxQxD, key_BxKxD)


def additive_scores(query_BxQxA: jax.Array, key_BxKxA: jax.Array, weight_A: jax.Array) -> jax.Array:
    """Computes `v . tanh(q + k)`, (B, Q, K).

    Source: Bahdanau et al. 2015 (Neural machine translation), appendix A.1.2.

    Args:
      query_BxQxA: the queries' part of the hidden layer, `W s`.
      key_BxKxA: the keys' part, `U h`, computed once for all queries of a sentence.
      weight_A: `v`.
    """
    sizes = checks.floats("B Q A", query=query_BxQxA)
    checks.floats("B K A", sizes, key=key_BxKxA)
    checks.floats("A", sizes, weight=weight_A)
    hidden_BxQxKxA = jnp.tanh(query_BxQxA[:, :, None] + key_BxKxA[:, None])
    return wide_einsum("bqka,a->bqk", hidden_BxQxKxA, weight_A)


def masked_softmax(scores: jax.Array, mask: jax.Array | Mask | None = None) -> jax.Array:
    """Computes weights over the last axis: a softmax of the scores where `mask`, 0 elsewhere.

    Args:
      scores: (…, K).
      mask: see above; an array has the axes of `scores`; None: all may be seen.

    Raises:
      ValueError: a mask of another shape, or of numbers.
    """
    weights, total = _exponentials(scores, mask)
    return weights * (1 / total)  # by the reciprocal: see `_plain`


def _exponentials(scores: jax.Array, mask: jax.Array | Mask | None) -> tuple[jax.Array, jax.Array]:
    """Computes weights and the sums that they are to be divided by."""
    scores, seen = at_least_float32(scores), dense(mask)
    if seen is not None:
        checks.spreads("mask", seen, "scores", scores, checks.booleans)
        scores = jnp.where(seen, scores, -jnp.inf)
    # Finite where all is masked, so that nothing below is inf - inf or 0 / 0.
    top = jnp.max(scores, -1, keepdims=True, initial=jnp.finfo(scores.dtype).min)
    weights = jnp.exp(scores - jax.lax.stop_gradient(top))
    total = weights.sum(-1, keepdims=True)
    return weights, jnp.where(total == 0, 1, total)


def attend(
    scores_BxQxK: jax.Array, value_BxKxD: jax.Array, mask: jax.Array | Mask | None = None
) -> tuple[jax.Array, jax.Array]:
    """Computes answers (B, Q, D), of the dtype of the values, and their weights (B, Q, K)."""
    weights = masked_softmax(scores_BxQxK, mask)
    return jnp.matmul(weights.astype(value_BxKxD.dtype), value_BxKxD), weights


def multi_head_attention(
    query_BxHxQxD: jax.Array,
    key_BxGxKxD: jax.Array,
    value_BxGxKxD: jax.Array,
    mask: jax.Array | Mask | None = None,
    *,
    on_weights: Callable[[jax.Array], jax.Array] | None = None,
    lowering: str = "auto",
) -> jax.Array:
    """Computes scaled dot attention of each head by itself, (B, H, Q, D), in the values' dtype.

    Heads h of the same `h // (H / G)` share keys and values: multi-head attention for G = H
    (Vaswani et al. 2017, section 3.2.2), grouped queries (Ainslie et al. 2023), and multi-query
    attention for G = 1.

    Args:
      query_BxHxQxD, key_BxGxKxD, value_BxGxKxD: heads before time; G divides H.
      mask: (B, Q, K), the same for all heads.
      on_weights: function, such as dropout, of the weights (B, G, H / G, Q, K) before they are
        divided by their sum; they exist in the plain form alone, which is taken with it.
      lowering: `"plain"`, `"cudnn"`, `"flash"`, or `"auto"`: the kernel that suits the platform
        where these arguments allow it, see `genjax.ops.attention_kernels`; else the plain form, in
        blocks of queries where an accelerator would have to keep many scores.

    Raises:
      ValueError: shapes that do not fit, or that the chosen kernel does not take.
    """
    sizes = checks.floats("B H Q D", query=query_BxHxQxD)
    checks.floats("B G K D", sizes, key=key_BxGxKxD, value=value_BxGxKxD)
    batch, heads, queries, _ = query_BxHxQxD.shape
    keys = key_BxGxKxD.shape[2]
    if mask is not None:
        of_one_head = jax.ShapeDtypeStruct((batch, queries, keys), bool)
        shape = jax.eval_shape(dense, mask)
        checks.spreads("mask", shape, "the weights of a head", of_one_head, checks.booleans)
    if on_weights is None:
        kernel = attention_kernels.chosen(query_BxHxQxD, key_BxGxKxD, mask, lowering)
        if kernel != "plain":
            return attention_kernels.fused_attention(
                kernel, query_BxHxQxD, key_BxGxKxD, value_BxGxKxD, mask
            )
        blocks = 1 if lowering == "plain" else _blocks(batch * heads, queries, keys)
        if blocks > 1:
            return _in_blocks(blocks, query_BxHxQxD, key_BxGxKxD, value_BxGxKxD, mask)
    return _plain(query_BxHxQxD, key_BxGxKxD, value_BxGxKxD, dense(mask), on_weights)


def _plain(
    query_BxHxQxD: jax.Array,
    key_BxGxKxD: jax.Array,
    value_BxGxKxD: jax.Array,
    mask: jax.Array | None,
    on_weights: Callable[[jax.Array], jax.Array] | None = None,
) -> jax.Array:
    """Computes `multi_head_attention` as it is written down."""
    batch, heads, queries, size = query_BxHxQxD.shape
    groups, keys = key_BxGxKxD.shape[1:3]
    # The heads of a group are further queries of it, so that all are two batched products.
    query = (query_BxHxQxD / math.sqrt(size)).reshape(batch, groups, -1, size)
    scores = wide_einsum("bgqd,bgkd->bgqk", query, key_BxGxKxD).reshape(
        batch, groups, heads // groups, queries, keys
    )
    weights, total = _exponentials(scores, None if mask is None else mask[:, None, None])
    weights = weights if on_weights is None else on_weights(weights)
    weights = weights.astype(value_BxGxKxD.dtype).reshape(batch, groups, -1, keys)
    # Divided behind the product: there are fewer answers than weights, backward too. By the
    # reciprocal, as compilers do it, though not on each number of devices: see `core.elastic`.
    answers = wide_einsum("bgqk,bgkd->bgqd", weights, value_BxGxKxD)
    answers = answers * (1 / total.reshape(batch, groups, -1, 1))
    return answers.astype(value_BxGxKxD.dtype).reshape(batch, heads, queries, size)


def _blocks(heads: int, queries: int, keys: int) -> int:
    """Returns the number of blocks of queries that are computed one after another."""
    blocks = 1
    if platform.lowering("scores") == "blocks":
        while 4 * heads * queries * keys > blocks * _SCORES and not queries % (2 * blocks * _LEAST):
            blocks *= 2
    return blocks


def _in_blocks(
    blocks: int,
    query_BxHxQxD: jax.Array,
    key_BxGxKxD: jax.Array,
    value_BxGxKxD: jax.Array,
    mask: jax.Array | Mask | None,
) -> jax.Array:
    """Computes plain attention of one block of queries after another, weights again for gradients.

    Source: Rabe and Staats 2021 (Self-attention does not need O(n^2) memory).
    """
    batch, heads, queries, size = query_BxHxQxD.shape
    each = queries // blocks
    query_NxBxHxPxD = jnp.moveaxis(query_BxHxQxD.reshape(batch, heads, blocks, each, size), 2, 0)

    @jax.checkpoint
    def one(of_block: Any) -> jax.Array:
        first, query = of_block
        return _plain(query, key_BxGxKxD, value_BxGxKxD, dense(mask, first, each))

    answers = jax.lax.map(one, (each * jnp.arange(blocks), query_NxBxHxPxD))
    return jnp.moveaxis(answers, 0, 2).reshape(batch, heads, queries, size)


def write_cache(buffer_BxGxKxD: jax.Array, x_BxGxQxD: jax.Array, place_B: jax.Array) -> jax.Array:
    """Writes keys or values into the buffer of a cache, from each row's `place` on."""

    def row(buffer: jax.Array, x: jax.Array, place: jax.Array) -> jax.Array:
        return jax.lax.dynamic_update_slice(buffer, x, (0, place, 0))

    return jax.vmap(row)(buffer_BxGxKxD, x_BxGxQxD, place_B)
