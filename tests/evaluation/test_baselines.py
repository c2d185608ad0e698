"""Answers without learning: by hand, on few sentences."""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from genjax.evaluation.text.baselines import lead, most_frequent, of_nearest

SOURCES = ["the red fox runs", "a blue whale swims", "the red fox sleeps, sleeps and sleeps"]
TARGETS = ["runs", "swims", "sleeps"]


def test_the_lead_are_the_first_words_of_all() -> None:
    assert lead(["one two  three\tfour", "one"], 3) == ["one two three", "one"]


def test_the_most_frequent_target_answers_all() -> None:
    assert most_frequent(["b", "a", "c", "a", "b"], 2) == ["b", "b"]


def test_the_nearest_source_gives_its_target() -> None:
    queries = ["Whale, a BLUE one", "a fox that sleeps", "unknown words only", SOURCES[0]]
    assert of_nearest(SOURCES, TARGETS, queries) == ["swims", "sleeps", "runs", "runs"]


def test_nearest_is_by_the_cosine_of_all_pairs_however_many_queries() -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(40)])
    texts = [" ".join(rng.choice(words, rng.integers(1, 9))) for _ in range(400)]
    known, queries = texts[:100], texts[100:]
    tfidf = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b").fit(known)
    cosine = (tfidf.transform(queries) @ tfidf.transform(known).T).toarray()
    found = [int(i) for i in of_nearest(known, [str(i) for i in range(100)], queries)]
    best = cosine[np.arange(300), found]
    np.testing.assert_allclose(best, cosine.max(1), rtol=1e-5)
