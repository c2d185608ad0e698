"""The continuous bag of words, with negative sampling, on the words of Python's documentation.

    python -m experiments.train --config=configs/word2vec_cbow.py --workdir=runs/cbow
    python -m experiments.word_vectors --workdir=runs/cbow --most_similar=list,float

8 seconds on 2 CPU cores. "raise": typeerror, runtimeerror, try, fail; "float": complex, nan.
"""

from ml_collections import ConfigDict

from genjax.families import word2vec


def get_config() -> ConfigDict:
    c = word2vec.default_config()
    c.epochs = 40.0
    c.checkpoint_every = 5000
    c.model.architecture = "cbow"
    c.optimizer.learning_rate = 0.05
    return c
