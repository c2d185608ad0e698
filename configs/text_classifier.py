"""Bidirectional LSTM that tells the topic of a paragraph of Python's own docs.

    python -m experiments.train --config=configs/text_classifier.py --workdir=runs/text_classifier

Not recorded yet.
"""

from ml_collections import ConfigDict

from genjax.families import text_classifier


def get_config() -> ConfigDict:
    c = text_classifier.default_config()
    c.epochs = 10.0
    c.batch_size = 32
    c.data.min_count = 2
    c.model.word_dropout = 0.05
    return c
