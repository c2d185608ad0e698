"""n-gram language models, as baselines: what a text's next token is worth without a network.

    model = NGrams(train_tokens, vocab_size, order=3)
    model.log_probabilities(test_tokens).mean()

Texts are rows of tokens with the special ids of `genjax.core.tokens`.
"""

from typing import NamedTuple

import numpy as np

from genjax.core.tokens import BOS, MASK, PAD

_NEVER = (PAD, BOS, MASK)  # tokens that a text does not consist of: nothing is asked about them


class NGrams:
    """Smooths counts of n-grams by interpolated Kneser-Ney.

    With c the number of times that h w stands in the text, and D a discount for each order,

        p(w | h) = max(c(h w) - D, 0) / c(h) + D n(h) / c(h) * p(w | h without its first token)

    where c(h) is the sum of c(h w) and n(h) the number of different w. Of all orders but the
    highest, c(h w) is the number of different tokens in front of h w. The lowest order is mixed
    with the uniform distribution likewise. D = n1 / (n1 + 2 n2), of the numbers of n-grams with c =
    1 and c = 2. A single order is the discounted frequency of each token.

    Source: Chen and Goodman 1998 (An empirical study of smoothing techniques for language
    modeling), section 4.1.6, equations 29 to 36 and, for D, section 2.8.

    Args:
      tokens_N: the training text, texts one after another. What stands in front of the text is BOS,
        which may also begin each of several; PAD, BOS and MASK are contexts but never predicted.
      vocab_size: V.
      order: n of the longest n-grams; V ** n must be below 2 ** 63.

    Raises:
      ValueError: n is too high for V, or there is no text.
    """

    def __init__(self, tokens_N: np.ndarray, vocab_size: int, order: int = 3):
        if order < 1 or vocab_size**order >= 2**63:
            message = f"must be at least 1, and {vocab_size}^order below 2^63"
            raise ValueError(f"order={order}: {message}")
        self.vocab_size, self.order = vocab_size, order
        grams_N = self._grams(np.asarray(tokens_N), order)[_asked(tokens_N)]
        if not len(grams_N):
            raise ValueError("a text without tokens")
        self._tables: list[_Table] = []
        found, counts = np.unique(grams_N, return_counts=True)
        for n in range(order, 0, -1):
            self._tables.append(_table(found, counts, vocab_size))
            # An n-gram without its first token; each different one in front of it counts once.
            found, counts = np.unique(found % vocab_size ** (n - 1), return_counts=True)
        self._tables.reverse()
        self._asked_about = vocab_size - len(_NEVER)

    def log_probabilities(self, tokens_N: np.ndarray) -> np.ndarray:
        """Computes nats of each token after those before it; skips PAD, BOS and MASK."""
        tokens_N = np.asarray(tokens_N)
        grams_M = self._grams(tokens_N, self.order)[_asked(tokens_N)]
        p_M = np.full(len(grams_M), 1 / self._asked_about)
        for n, table in enumerate(self._tables, 1):
            p_M = table.mixed(grams_M % self.vocab_size**n, p_M)
        return np.log(p_M)

    def _grams(self, tokens_N: np.ndarray, n: int) -> np.ndarray:
        """Numbers each token and the n - 1 before it, as digits to the base V."""
        before = np.full(n - 1, BOS, np.int64)
        padded = np.concatenate([before, tokens_N.astype(np.int64)])
        grams_N = np.zeros(len(tokens_N), np.int64)
        for i in range(n):
            grams_N = grams_N * self.vocab_size + padded[i : i + len(tokens_N)]
        return grams_N


class _Table(NamedTuple):
    """The n-grams of one order, and their contexts; both in ascending order.

    Attributes:
      gram, weight: n-grams, and max(c(h w) - D, 0).
      context, total, rest: contexts h, c(h), and D n(h).
      vocab_size: V.
    """

    gram: np.ndarray
    weight: np.ndarray
    context: np.ndarray
    total: np.ndarray
    rest: np.ndarray
    vocab_size: int

    def mixed(self, grams_M: np.ndarray, lower_M: np.ndarray) -> np.ndarray:
        """Mixes the probabilities of the order below into this one's; new contexts keep them."""
        context_M = grams_M // self.vocab_size
        total_M = _looked_up(context_M, self.context, self.total)
        rest_M = _looked_up(context_M, self.context, self.rest)
        weight_M = _looked_up(grams_M, self.gram, self.weight)
        mixed_M = (weight_M + rest_M * lower_M) / np.maximum(total_M, 1)
        return np.where(total_M > 0, mixed_M, lower_M)


def _table(gram: np.ndarray, count: np.ndarray, vocab_size: int) -> _Table:
    ones, twos = (count == 1).sum(), (count == 2).sum()
    # Where nothing occurs once there is nothing to go by, and every discount is a little.
    discount = ones / (ones + 2 * twos) if ones else 0.5
    context, first = np.unique(gram // vocab_size, return_index=True)
    weight = np.maximum(count - discount, 0.0)
    total = np.add.reduceat(count.astype(np.float64), first)
    return _Table(gram, weight, context, total, total - np.add.reduceat(weight, first), vocab_size)


def _looked_up(wanted: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Returns the values of keys, which are in ascending order; 0 of what is none of them."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0.0)


def _asked(tokens_N: np.ndarray) -> np.ndarray:
    return ~np.isin(tokens_N, _NEVER)
