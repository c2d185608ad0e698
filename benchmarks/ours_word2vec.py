"""genjax's side of the rows of `benchmarks/rows_language_word2vec.py`."""

import numpy as np

from benchmarks import ours, zipf
from benchmarks.child import Timed
from benchmarks.harness import ROOT
from genjax import recipes
from genjax.core.family import DataSpec
from genjax.core.tokens import EOS, NUM_SPECIALS
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset
from genjax.data.text.passages import padded


def training(architecture: str, words: int, *, vocab_size: int, dim: int, window: int,
             num_negatives: int, subsample: float, learning_rate: float) -> Timed:  # fmt: skip
    """The rows `word2vec_*`: an epoch of `words` words a run, scanned."""
    recipe = {"skipgram": "word2vec_skipgram", "cbow": "word2vec_cbow"}[architecture]
    config = recipes.load(str(ROOT / "configs" / f"{recipe}.py")).unlock()
    config.model.embedding_dim = dim
    config.loss.update(window=window, num_negatives=num_negatives, subsample=subsample)
    config.optimizer.learning_rate = learning_rate
    lines = zipf.lines(words, vocab_size) + NUM_SPECIALS
    ends = np.full((len(lines), 1), EOS, lines.dtype)
    tokens = np.concatenate([lines, ends], axis=1).reshape(-1).astype(np.uint16)
    rows = padded(tokens, config.data.length)
    counts = np.bincount(tokens, minlength=vocab_size + NUM_SPECIALS)
    spec = DataSpec(
        "passage", (config.data.length,), vocab_size=len(counts),
        token_counts=tuple(counts.tolist()),
    )  # fmt: skip
    source = Resident({"x": rows}, levels=0)
    steps = max(1, len(rows) // config.batch_size)
    return ours._steps(ours._executor(config, Dataset(spec, source, source)), steps, 1)
