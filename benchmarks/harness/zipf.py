"""A text of random words whose frequencies follow Zipf's law, the same for both sides of a row."""

import numpy as np

_LINE = 16  # words, as a definition of the corpus `definitions` has


def lines(words: int, vocab_size: int) -> np.ndarray:
    """Draws about `words` words, int32 (L, 16); word 0 is the most frequent, every word occurs.

    Source of the law: Mandelbrot 1953, `1 / (rank + 2.7)`.
    """
    weight = 1 / (np.arange(1, vocab_size + 1) + 2.7)
    drawn = np.random.default_rng(0).choice(vocab_size, words, p=weight / weight.sum())
    rows = np.concatenate([drawn, np.arange(vocab_size)]) if words > vocab_size else drawn
    return rows[: len(rows) // _LINE * _LINE].reshape(-1, _LINE).astype(np.int32)
