"""Rows of word2vec: an epoch with the settings of word2vec's program, on words by Zipf's law.

Equal quality is not this row's business but that of `benchmarks/word_similarity.py`, which trains
both on real text and scores the vectors.
"""

from typing import Any

from benchmarks.harness import Side
from benchmarks.rows import Row

_WORDS = 500_000
_SETTINGS: dict[str, Any] = {
    "vocab_size": 40_000, "dim": 100, "window": 5, "num_negatives": 5, "subsample": 1e-3,
    "learning_rate": 0.025,
}  # fmt: skip


def rows() -> list[Row]:
    """The rows `word2vec_skipgram` and `word2vec_cbow`."""
    return [
        Row(
            f"word2vec_{architecture}", "gensim", f"epoch of {_WORDS:,} words",
            Side("scan", "benchmarks.ours_word2vec:training", run),
            tuple(
                Side(
                    mode, "benchmarks.peers.gensim_word2vec:training", {"mode": mode, **run},
                    ("gensim",),
                )
                for mode in ("sentences", "corpus_file")
            ),
            settings=_SETTINGS,
        )
        for architecture in ("skipgram", "cbow")
        for run in [{"architecture": architecture, "words": _WORDS, **_SETTINGS}]
    ]  # fmt: skip
