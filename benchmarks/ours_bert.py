"""genjax's side of the rows of `benchmarks/rows_language_bert.py`."""

import numpy as np

from benchmarks import ours
from benchmarks.child import Timed
from benchmarks.harness import ROOT
from genjax import recipes
from genjax.core.family import DataSpec
from genjax.data.source import Dataset
from genjax.data.text.windows import Windows


def training(steps: int, *, vocab_size: int, length: int, num_layers: int, num_heads: int,
             width: int, batch_size: int, mask_rate: float, num_tokens: int, learning_rate: float,
             weight_decay: float, clip_norm: float) -> Timed:  # fmt: skip
    """The rows `bert` and `bert_transformers`: `steps` updates a run, scanned."""
    config = recipes.load(str(ROOT / "configs" / "bert.py")).unlock()
    config.batch_size, config.ema_decay, config.loss.mask_rate = batch_size, 0.0, mask_rate
    config.model.update(
        num_layers=num_layers, num_heads=num_heads, width=width, dropout=0.0, norm_first=False
    )
    config.optimizer.update(
        name="adam", schedule="constant", warmup_steps=0, learning_rate=learning_rate, b1=0.9,
        b2=0.98, weight_decay=weight_decay, clip_norm=clip_norm,
    )  # fmt: skip
    tokens = np.random.default_rng(0).integers(5, vocab_size, num_tokens, np.uint16)
    source = Windows(tokens, length - 2)  # of one token more, and BOS in front
    spec = DataSpec("text", (length - 1,), vocab_size=vocab_size)
    return ours._steps(ours._executor(config, Dataset(spec, source, source)), steps, steps)
