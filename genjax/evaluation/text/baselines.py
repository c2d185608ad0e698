"""What answers a source without any learning: bars for summaries, translations and dialogues."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

_BLOCK = 256  # queries at once


def lead(sources: Sequence[str], words: int) -> list[str]:
    """Takes the first `words` words of each source, as white space separates them."""
    return [" ".join(source.split()[:words]) for source in sources]


def most_frequent(targets: Sequence[str], n: int) -> list[str]:
    """Answers `n` times with the most frequent target, of several the first."""
    return [Counter(targets).most_common(1)[0][0]] * n


def of_nearest(sources: Sequence[str], targets: Sequence[str], queries: Sequence[str]) -> list[str]:
    """Answers each query with the target of the source that is nearest, of several the first.

    Near is a high cosine of TF-IDF vectors: of words, lower-cased, with sublinear term frequencies
    and scikit-learn's smoothed inverse document frequencies of `sources`.

    Args:
      sources, targets: of the training split.
      queries: other sources; one without any known word is answered by the first target.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    tfidf = TfidfVectorizer(sublinear_tf=True, dtype=np.float32, token_pattern=r"(?u)\b\w+\b")
    known_VxN = tfidf.fit_transform(sources).T.tocsr()
    answers: list[str] = []
    for start in range(0, len(queries), _BLOCK):
        asked_QxV = tfidf.transform(queries[start : start + _BLOCK])
        nearest_Q = np.asarray((asked_QxV @ known_VxN).argmax(axis=1)).ravel()
        answers += [targets[i] for i in nearest_Q]
    return answers
