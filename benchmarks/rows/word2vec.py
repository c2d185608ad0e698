"""Rows of word2vec: an epoch with the settings of word2vec's program, on words by Zipf's law.

Equal quality is not this row's business but that of `benchmarks/word_similarity.py`, which trains
both on real text and scores the vectors.
"""

from typing import Any

import numpy as np

from benchmarks.harness import training, zipf
from benchmarks.harness.child import Timed
from benchmarks.harness.row import Row, ours, peers
from genjax.core.family import DataSpec
from genjax.core.tokens import EOS, NUM_SPECIALS
from genjax.data.text.passages import padded

_WORDS = 500_000
_SETTINGS: dict[str, Any] = {
    "vocab_size": 40_000, "dim": 100, "window": 5, "num_negatives": 5, "subsample": 1e-3,
    "learning_rate": 0.025,
}  # fmt: skip


def rows() -> list[Row]:
    """Makes the rows `word2vec_skipgram` and `word2vec_cbow`."""
    return [
        Row(
            f"word2vec_{architecture}",
            "gensim",
            f"epoch of {_WORDS:,} words",
            ours(epoch, run),
            peers("gensim_word2vec:training", "sentences corpus_file", run, ("gensim",)),
            settings=_SETTINGS,
        )
        for architecture in ("skipgram", "cbow")
        for run in [{"architecture": architecture, "words": _WORDS, **_SETTINGS}]
    ]


def epoch(
    architecture: str,
    words: int,
    *,
    vocab_size: int,
    dim: int,
    window: int,
    num_negatives: int,
    subsample: float,
    learning_rate: float,
) -> Timed:
    """Sets up our side: an epoch of `words` words a run, scanned."""
    config = training.recipe(f"word2vec_{architecture}")
    config.model.embedding_dim = dim
    config.loss.update(window=window, num_negatives=num_negatives, subsample=subsample)
    config.optimizer.learning_rate = learning_rate
    lines = zipf.lines(words, vocab_size) + NUM_SPECIALS
    ends = np.full((len(lines), 1), EOS, lines.dtype)
    tokens = np.concatenate([lines, ends], axis=1).reshape(-1).astype(np.uint16)
    passages = padded(tokens, config.data.length)
    counts = np.bincount(tokens, minlength=vocab_size + NUM_SPECIALS)
    spec = DataSpec(
        "passage",
        (config.data.length,),
        vocab_size=len(counts),
        token_counts=tuple(counts.tolist()),
    )
    steps = max(1, len(passages) // config.batch_size)
    return training.timed(config, training.rows(spec, x=passages), steps, 1)
