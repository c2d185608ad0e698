"""BiLSTM-CRF with characters that finds what is code in the prose of Python's own docs.

    python -m experiments.train --config=configs/tagger.py --workdir=runs/tagger
    python -m experiments.evaluate --workdir=runs/tagger

Code is what the docs put in double quotes, which are taken away. Not recorded yet.
"""

from ml_collections import ConfigDict

from genjax.families import tagger


def get_config() -> ConfigDict:
    c = tagger.default_config()
    c.epochs = 5.0
    c.batch_size = 32
    c.data.min_count = 2
    c.model.word_dropout = 0.05
    return c
