"""Skip-gram with negative sampling on the words of Python's documentation.

    python -m experiments.train --config=configs/word2vec_skipgram.py --workdir=runs/skipgram
    python -m experiments.word_vectors --workdir=runs/skipgram --most_similar=list,float

6 seconds on 2 CPU cores. "raise": try, valueerror, typeerror, stopiteration; "float": complex, nan,
convert, decimal.
"""

from ml_collections import ConfigDict

from genjax.families import word2vec


def get_config() -> ConfigDict:
    c = word2vec.default_config()
    c.epochs = 40.0
    c.checkpoint_every = 5000
    return c
