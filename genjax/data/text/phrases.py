"""Phrases: words that stand together more often than chance would have it become one word.

Source: Mikolov et al. 2013b, section 4, equation 6: `(n(ab) - least) / (n(a) n(b))`, here times the
number of different words, so that a threshold means the same for every text (as in gensim).
"""

import collections
import itertools
from collections.abc import Callable, Container, Iterable, Sequence

import numpy as np

Pair = tuple[str, str]
Texts = Callable[[], Iterable[Sequence[str]]]


def learn(texts: Texts, rounds: int, *, least: int, threshold: float) -> list[set[Pair]]:
    """Finds the phrases of some rounds, the later made of words that the earlier joined.

    After n rounds phrases have up to 2**n words. `texts` gives the words of each text, anew at each
    call; for `least` and `threshold` see `find`.
    """
    found: list[set[Pair]] = []
    for _ in range(rounds):
        found.append(
            set(find(lambda: (join(t, found) for t in texts()), least=least, threshold=threshold))
        )
    return found


def join(words: Sequence[str], rounds: Iterable[Container[Pair]]) -> Sequence[str]:
    """Joins the phrases of all rounds in a text by `_`, from left to right."""
    for phrases in rounds:
        words = _join(words, phrases)
    return words


def find(texts: Texts, *, least: int, threshold: float) -> dict[Pair, float]:
    """Finds pairs of neighbors that score above `threshold`, with their scores.

    Marks of punctuation are in no pair.

    Args:
      texts: gives the words of each text, anew at each call.
      least: pairs that occur less often are no phrases; it is subtracted from each pair's count, so
        that pairs of rare words are not.
      threshold: the higher, the fewer phrases.
    """
    counts = collections.Counter(word for words in texts() for word in words)
    numbers = {word: i for i, word in enumerate(counts)}
    single = np.array(list(counts.values()), np.float64)
    pairs: collections.Counter[int] = collections.Counter()
    size = len(numbers)
    for words in texts():
        ids = [numbers[word] for word in words]
        pairs.update(a * size + b for a, b in itertools.pairwise(ids))
    keys = np.array([key for key, n in pairs.items() if n >= least], np.int64)
    first, second = np.divmod(keys, max(size, 1))
    together = np.array([pairs[key] for key in keys.tolist()], np.float64)
    score = (together - least) * size / (single[first] * single[second])
    names = list(numbers)
    found = [(names[first[i]], names[second[i]], i) for i in np.flatnonzero(score > threshold)]
    return {(a, b): float(score[i]) for a, b, i in found if _is_word(a) and _is_word(b)}


def _is_word(text: str) -> bool:
    return text[0] == "_" or text[0].isalnum()  # whatever marks follow


def _join(words: Sequence[str], phrases: Container[Pair]) -> list[str]:
    joined, i = [], 0
    while i < len(words):
        pair = tuple(words[i : i + 2])
        joined.append("_".join(pair) if pair in phrases else words[i])
        i += 2 if pair in phrases else 1
    return joined
