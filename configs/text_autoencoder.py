"""LSTM sequence autoencoder of short texts: paragraphs of Python's own docs, cut to 24 words.

    python -m experiments.train --config=configs/text_autoencoder.py \\
        --workdir=runs/text_autoencoder
    python -m experiments.latent --workdir=runs/text_autoencoder

2 minutes on 2 CPU cores beside another job: held-out paragraphs come back with BLEU 26.8, at 75.0
nats each.
"""

from ml_collections import ConfigDict

from genjax.families import text_autoencoder


def get_config() -> ConfigDict:
    c = text_autoencoder.default_config()
    c.epochs = 40.0
    c.batch_size = 32
    c.data.length = 24
    c.data.min_count = 2
    c.model.hidden = 128
    c.optimizer.learning_rate = 2e-3
    return c
