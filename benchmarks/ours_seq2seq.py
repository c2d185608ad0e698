"""genjax's sides of the rows of `benchmarks/rows_language_seq2seq.py`."""

from typing import Any

import numpy as np

from benchmarks import ours
from benchmarks.child import Timed
from benchmarks.harness import ROOT
from genjax.cli import recipes
from genjax.core.family import DataSpec
from genjax.data.resident import Resident
from genjax.data.source import Dataset


def attention(
    iterations: int, *, embed_dim: int, units: int, clip_norm: float, **pairs: Any
) -> Timed:
    """The row `seq2seq_attention`: `iterations` updates a run, scanned."""
    model = {"embed_dim": embed_dim, "hidden": units, "dropout": 0.0}
    return _translator("seq2seq_multi30k", model, iterations, clip_norm=clip_norm, **pairs)


def transformer(
    iterations: int, *, width: int, num_heads: int, layers: int, inner: int, dropout: float,
    **pairs: Any,
) -> Timed:  # fmt: skip
    """The row `transformer`: `iterations` updates a run, scanned."""
    model = {"width": width, "num_heads": num_heads, "num_layers": layers, "hidden": inner}
    return _translator("transformer_multi30k", model | {"dropout": dropout}, iterations, **pairs)


def _translator(
    recipe: str, model: dict[str, Any], iterations: int, *, vocab_size: int, length: int,
    num_examples: int, batch_size: int, learning_rate: float, clip_norm: float = 0.0,
) -> Timed:  # fmt: skip
    """A recipe of pairs, on pairs of sentences of `length` random tokens each."""
    config = recipes.load(str(ROOT / "configs" / f"{recipe}.py")).unlock()
    config.batch_size, config.ema_decay, config.buckets = batch_size, 0.0, ()
    config.model.update(model)
    config.loss.label_smoothing = 0.0
    config.optimizer.update(
        name="adam", schedule="constant", warmup_steps=0, learning_rate=learning_rate, b1=0.9,
        b2=0.999, eps=1e-8, clip_norm=clip_norm,
    )  # fmt: skip
    tokens = np.random.default_rng(0).integers(5, vocab_size, (2, num_examples, length), np.uint16)
    source = Resident({"x": tokens[0], "y": tokens[1]}, levels=0)
    spec = DataSpec(
        "pair", (length,), vocab_size=vocab_size, target_shape=(length,),
        target_vocab_size=vocab_size,
    )  # fmt: skip
    executor = ours._executor(config, Dataset(spec, source, source))
    return ours._steps(executor, iterations, iterations)
