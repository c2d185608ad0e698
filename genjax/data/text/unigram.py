"""Distributions from counts of words: occurrences to keep, words as noise, a Huffman code.

Counts are those of a vocabulary (V,), of which those of special tokens are not read: they are no
words (see `genjax.core.tokens`).
"""

import heapq
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core.tokens import NUM_SPECIALS


class AliasTable(NamedTuple):
    """Column k stands for word k with chance `threshold[k]`, else for word `other[k]`."""

    threshold: np.ndarray  # float32 (V,)
    other: np.ndarray  # int32 (V,)


class Code(NamedTuple):
    """Each word's path from a leaf of a binary tree to its root, padded at its end.

    Attributes:
      node: int32 (V, depth), inner nodes, 0 … number of words - 2; 0 in the padding.
      sign: float32 (V, depth), +1 or -1 for the two sides of a node; 0 in the padding.
    """

    node: np.ndarray
    sign: np.ndarray


def word_counts(counts: np.ndarray) -> np.ndarray:
    """Returns counts as float64, those of special tokens 0."""
    words = np.array(counts, np.float64)
    words[:NUM_SPECIALS] = 0.0
    return words


def keep_probability(counts: np.ndarray, threshold: float) -> np.ndarray:
    """Computes the chance of an occurrence of each word to stay in the text, float32 (V,).

    That of tokens that are no words is 0.

    `min(1, sqrt(t / f) + t / f)` for a word of relative frequency f: what word2vec's program does,
    where the paper (Mikolov et al. 2013b, equation 5) has the root alone. 1 with threshold 0.
    """
    words = word_counts(counts)
    ratio = threshold * words.sum() / np.maximum(words, 1.0)
    keep = np.minimum(1.0, np.sqrt(ratio) + ratio) if threshold else np.ones_like(words)
    return np.where(words > 0, keep, 0.0).astype(np.float32)


def alias_table(weights: np.ndarray) -> AliasTable:
    """Makes a table that draws from any distribution over V words at the cost of two numbers.

    Source: Vose 1991, "A linear algorithm for generating random numbers with a given distribution".

    Args:
      weights: (V,), at least 0, some above.
    """
    scaled = np.asarray(weights, np.float64) * (len(weights) / np.sum(weights))
    threshold, other = np.ones(len(scaled)), np.arange(len(scaled), dtype=np.int32)
    small, large = (list(np.flatnonzero(side)) for side in (scaled < 1, scaled >= 1))
    while small and large:
        k, giver = small.pop(), large[-1]
        threshold[k], other[k] = scaled[k], giver
        scaled[giver] -= 1.0 - scaled[k]
        if scaled[giver] < 1:
            small.append(large.pop())
    return AliasTable(threshold.astype(np.float32), other)


def draw(table: AliasTable, bits: jax.Array) -> jax.Array:
    """Draws words int32 (…) by random bits uint32 (…, 2)."""
    size = len(table.other)
    # The remainder favors a column by at most V / 2**32.
    column = (bits[..., 0] % np.uint32(size)).astype(jnp.int32)
    uniform = (bits[..., 1] >> 8).astype(jnp.float32) * np.float32(2**-24)
    stays = uniform < jnp.asarray(table.threshold)[column]
    return jnp.where(stays, column, jnp.asarray(table.other)[column])


def huffman_code(counts: np.ndarray) -> Code:
    """Makes the Huffman code of the words that occur; others have an empty path.

    Source: Huffman 1952; as the tree of a hierarchical softmax, Mikolov et al. 2013b, section 2.1.
    """
    words = np.flatnonzero(word_counts(counts))
    # (count, number): leaves are numbered first and inner nodes in the order in which they are
    # made, so that ties are broken in the same way everywhere.
    heap = [(int(counts[w]), i) for i, w in enumerate(words)]
    heapq.heapify(heap)
    size = max(2 * len(words) - 1, 1)
    parent, side = np.full(size, -1), np.zeros(size, np.float32)
    for number in range(len(words), size):
        (few, first), (many, second) = heapq.heappop(heap), heapq.heappop(heap)
        parent[first] = parent[second] = number
        side[first], side[second] = 1.0, -1.0
        heapq.heappush(heap, (few + many, number))
    nodes, signs, at = [], [], np.arange(len(words))
    while (parent[at] >= 0).any():
        below = parent[at] >= 0
        nodes.append(np.where(below, parent[at] - len(words), 0))
        signs.append(np.where(below, side[at], 0.0))
        at = np.where(below, parent[at], at)
    shape = (len(counts), max(len(nodes), 1))
    code = Code(np.zeros(shape, np.int32), np.zeros(shape, np.float32))
    for k, (node, sign) in enumerate(zip(nodes, signs)):
        code.node[words, k], code.sign[words, k] = node, sign
    return code
