"""Sentiment of film reviews' sentences (SST-2), from 6,919 sentences alone, three ways.

    python -m experiments.train --config=configs/sst2.py:METHOD --workdir=runs/sst2_METHOD \\
        --config.data.dir=DIR

METHOD: lstm (the default), bag or transformer. DIR holds train.tsv and test.tsv, a sentence and its
label a line; `--config.data.test=dev.tsv` to choose settings. Not recorded yet.
"""

from typing import Any

from ml_collections import ConfigDict

from genjax.core.config import ConfigError
from genjax.families import text_classifier

# METHOD: its epochs, and what it changes in `model`.
METHODS: dict[str, tuple[float, dict[str, Any]]] = {
    "lstm": (7.0, {"network": "recurrent", "hidden": 64, "embed_dim": 64, "word_dropout": 0.3}),
    "bag": (10.0, {"network": "bag", "layers": 0, "embed_dim": 64, "word_dropout": 0.2}),
    "transformer": (
        16.0,
        {
            "network": "transformer", "pooling": "mean", "hidden": 128, "embed_dim": 64,
            "dropout": 0.3, "word_dropout": 0.3,
        },
    ),
}  # fmt: skip


def get_config(method: str = "lstm") -> ConfigDict:
    if method not in METHODS:
        raise ConfigError(f"--config=sst2.py:{method}: must be one of {', '.join(METHODS)}")
    c = text_classifier.default_config()
    c.epochs, changes = METHODS[method]
    c.batch_size = 64
    c.ema_decay = 0.99
    c.data.name = "tsv:train.tsv"
    c.data.test = "test.tsv"
    c.data.vocab_size = 20_000
    c.model.update(changes)
    return c
