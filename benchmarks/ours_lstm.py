"""genjax's side of the rows of `benchmarks/rows_language_recurrent.py`."""

import numpy as np

from benchmarks import ours
from benchmarks.child import Timed
from benchmarks.harness import ROOT
from genjax import recipes
from genjax.core.family import DataSpec
from genjax.data.source import Dataset
from genjax.data.text.windows import Windows


def training(steps: int, *, vocab_size: int, units: int, layers: int, batch_size: int, length: int,
             num_tokens: int, learning_rate: float, clip_norm: float) -> Timed:  # fmt: skip
    """The rows `lstm_lm_*`: `steps` updates a run, scanned."""
    config = recipes.load(str(ROOT / "configs" / "lstm_lm.py")).unlock()
    config.batch_size, config.ema_decay, config.loss.bos_rate = batch_size, 0.0, 0.0
    config.model.update(
        cell="lstm", embed_dim=units, hidden=units, layers=layers, tie_embeddings=False,
        dropout=0.0, recurrent_dropout=0.0,
    )  # fmt: skip
    config.optimizer.update(
        name="sgd", b1=0.0, schedule="constant", warmup_steps=0, learning_rate=learning_rate,
        weight_decay=0.0, clip_norm=clip_norm,
    )  # fmt: skip
    tokens = np.random.default_rng(0).integers(5, vocab_size, num_tokens, np.uint16)
    source = Windows(tokens, length)
    spec = DataSpec("text", (length + 1,), vocab_size=vocab_size)
    return ours._steps(ours._executor(config, Dataset(spec, source, source)), steps, steps)
