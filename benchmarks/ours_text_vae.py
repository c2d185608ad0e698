"""genjax's side of the row of `benchmarks/rows_language_autoencoder.py`."""

import numpy as np

from benchmarks import ours
from benchmarks.child import Timed
from benchmarks.harness import ROOT
from genjax import recipes
from genjax.core.family import DataSpec
from genjax.core.tokens import NUM_SPECIALS
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset


def text_vae(iterations: int, *, vocab_size: int, embed_dim: int, units: int, latent_dim: int,
             length: int, num_examples: int, batch_size: int, word_dropout: float,
             learning_rate: float, clip_norm: float) -> Timed:  # fmt: skip
    """The row `text_vae`: `iterations` updates a run, scanned."""
    config = recipes.load(str(ROOT / "configs" / "text_vae.py")).unlock()
    config.batch_size, config.ema_decay = batch_size, 0.0
    config.model.update(
        cell="lstm", embed_dim=embed_dim, hidden=units, layers=1, latent_dim=latent_dim,
        bidirectional=True, pooling="max", every_step=True, dropout=0.0,
    )  # fmt: skip
    config.loss.update(
        word_dropout=word_dropout, kl_weight=1.0, kl_annealing="constant", free_bits=0.0, chunk=0,
        drop=0.0, swap=0, mask=0.0,
    )  # fmt: skip
    config.optimizer.update(
        name="adam", schedule="constant", warmup_steps=0, learning_rate=learning_rate, b1=0.9,
        b2=0.999, weight_decay=0.0, clip_norm=clip_norm,
    )  # fmt: skip
    kind, rng = np.min_scalar_type(vocab_size - 1), np.random.default_rng(0)
    x = rng.integers(NUM_SPECIALS, vocab_size, (num_examples, length), kind)
    source = Resident({"x": x}, levels=0)
    spec = DataSpec("sentence", (length,), vocab_size=vocab_size)
    return ours._steps(
        ours._executor(config, Dataset(spec, source, source)), iterations, iterations
    )
