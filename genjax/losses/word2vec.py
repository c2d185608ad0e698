"""Losses of word2vec: how well a vector predicts the words around it, in nats.

Sources: Mikolov et al. 2013a, "Efficient estimation of word representations in vector space";
Mikolov et al. 2013b, "Distributed representations of words and phrases and their compositionality".
"""

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.precision import at_least_float32, softplus


def negative_sampling_loss(
    positive: jax.Array, mask: jax.Array, negative: jax.Array, num_negatives: float
) -> jax.Array:
    """Computes how well logistic regression tells the words of a context from noise; shape (…).

    `sum_s mask_s [-log sigma(positive_s) + K/N sum_n -log sigma(-negative_n)]`: equation 4 of
    Mikolov et al. 2013b for every pair, with its expectation over noise taken over N words that all
    pairs share (Ji et al. 2016, "Parallelizing word2vec in shared and distributed memory"). K words
    of its own for every pair have the same mean. Noise that hits a true word is not left out.

    Args:
      positive: (…, S), scores of the words of the context.
      mask: (…, S), 1 where there is such a word, else 0.
      negative: (…, N), scores of words drawn from the noise distribution.
      num_negatives: K, words of noise for each true one.

    Examples:
      >>> negative_sampling_loss(jnp.zeros(3), jnp.array([1, 1, 0]), jnp.zeros(5), 4) / jnp.log(2.0)
      Array(10., dtype=float32)
    """
    sizes = checks.floats("… S", positive=positive)
    checks.masks("… S", sizes, mask=mask)
    checks.floats("… N", sizes, negative=negative)
    checks.within("mask", mask, 0, 1)
    checks.number("num_negatives", num_negatives, 0)
    mask = at_least_float32(mask)
    true = (mask * softplus(-at_least_float32(positive))).sum(-1)
    noise = softplus(at_least_float32(negative)).mean(-1)
    return true + num_negatives * mask.sum(-1) * noise


def hierarchical_softmax_loss(score: jax.Array, sign: jax.Array) -> jax.Array:
    """Computes `-log p(word)` of a word that is a leaf of a binary tree; shape (…).

    `-sum_k log sigma(sign_k * score_k)` over the inner nodes of its path (Mikolov et al. 2013b,
    equation 3; Morin and Bengio 2005). The probabilities of all leaves sum to 1.

    Args:
      score: (…, depth), of the path's inner nodes.
      sign: (…, depth), +1 or -1 for the two sides of a node, 0 beyond the end of the path; its
        other axes may have length 1.

    Examples:
      >>> hierarchical_softmax_loss(jnp.zeros(3), jnp.array([1, -1, 0])) / jnp.log(2.0)
      Array(2., dtype=float32)
    """
    checks.spreads("sign", sign, "score", score, checks.masks)
    sizes = checks.floats("… K", score=score)
    checks.masks("… K", {"K": sizes["K"]}, sign=sign)
    checks.within("sign", sign, -1, 1)
    sign = at_least_float32(sign)
    return (jnp.abs(sign) * softplus(-sign * at_least_float32(score))).sum(-1)
