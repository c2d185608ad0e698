"""A pointer-generator's cross-entropy: words are written from the vocabulary or copied.

    P(w) = p_gen softmax(logits)[w] + (1 - p_gen) sum_{i: x_i = w} a_i,   p_gen = sigmoid(gate)

a are weights of attention over the source x, whose ids are those of the target's vocabulary.
Source: See et al. 2017 (Get to the point: summarization with pointer-generator networks), equations
8 and 9, without their extended vocabulary: of sub-words none is unknown.

Logarithms are summed as logarithms, of p_gen and of the softmax: neither a gate that is sure nor a
rare word makes a probability of 0.
"""

from typing import Any

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.core.tokens import PAD
from genjax.losses.tokens import token_cross_entropy
from genjax.ops.precision import at_least_float32


def copying_cross_entropy(
    logits_BxTxV: jax.Array,
    weights_BxTxS: jax.Array,
    gate_BxT: jax.Array,
    source_BxS: jax.Array,
    target_BxT: jax.Array,
) -> jax.Array:
    """Computes -log P(target), (B, T), in nats, 0 where the target is padding.

    Args:
      logits_BxTxV: of the vocabulary.
      weights_BxTxS: of attention, at least 0; 0 of the source's padding.
      gate_BxT: the logit of p_gen.
      source_BxS: int32 tokens.
      target_BxT: int32 tokens.

    Examples:
      >>> weights, source, target = jnp.array([[[1.0]]]), jnp.array([[3]]), jnp.array([[3]])
      >>> jnp.exp(-copying_cross_entropy(jnp.zeros((1, 1, 4)), weights, jnp.zeros((1, 1)), source,
      ...                                target))  # half of 1 / 4 and half of 1
      Array([[0.625]], dtype=float32)
    """
    sizes = checks.floats("B T V", logits_BxTxV=logits_BxTxV)
    checks.floats("B T S", sizes, weights_BxTxS=weights_BxTxS)
    checks.floats("B T", sizes, gate_BxT=gate_BxT)
    checks.integers("B S", sizes, source_BxS=source_BxS)
    checks.integers("B T", sizes, target_BxT=target_BxT)
    log_written = -token_cross_entropy(logits_BxTxV, target_BxT)
    same_BxTxS = source_BxS[:, None] == target_BxT[..., None]
    copied = jnp.where(same_BxTxS, at_least_float32(weights_BxTxS), 0.0).sum(-1)
    nll_BxT = -_mixture(log_written, copied, at_least_float32(gate_BxT))
    return jnp.where(target_BxT == PAD, 0.0, nll_BxT)


def copying_log_probabilities(
    logits_BxV: jax.Array, weights_BxS: jax.Array, gate_B: jax.Array, source_BxS: jax.Array
) -> jax.Array:
    """Computes log P(w) of all words w, (B, V), of the token that follows.

    Args:
      logits_BxV: of the vocabulary.
      weights_BxS: of attention, at least 0; 0 of the source's padding.
      gate_B: the logit of p_gen.
      source_BxS: int32 tokens; one outside 0 … V - 1 is copied nowhere.

    Examples:
      >>> weights, source = jnp.array([[1.0]]), jnp.array([[3]])
      >>> jnp.exp(copying_log_probabilities(jnp.zeros((1, 4)), weights, jnp.zeros(1), source))
      Array([[0.125, 0.125, 0.125, 0.625]], dtype=float32)
    """
    sizes = checks.floats("B V", logits_BxV=logits_BxV)
    checks.floats("B S", sizes, weights_BxS=weights_BxS)
    checks.floats("B", sizes, gate_B=gate_B)
    checks.integers("B S", sizes, source_BxS=source_BxS)
    log_written = jax.nn.log_softmax(at_least_float32(logits_BxV))
    rows_Bx1 = jnp.arange(len(logits_BxV))[:, None]
    copied = (
        jnp.zeros_like(log_written)
        .at[rows_Bx1, source_BxS]
        .add(weights_BxS.astype(log_written.dtype), mode="drop")
    )
    return _mixture(log_written, copied, at_least_float32(gate_B)[:, None])


def _mixture(log_written: Any, copied: Any, gate: Any) -> jax.Array:
    """Computes log(p_gen exp(log_written) + (1 - p_gen) copied)."""
    some = copied > 0
    log_copied = jnp.where(some, jnp.log(jnp.where(some, copied, 1.0)), -jnp.inf)
    return jnp.logaddexp(
        jax.nn.log_sigmoid(gate) + log_written, jax.nn.log_sigmoid(-gate) + log_copied
    )
