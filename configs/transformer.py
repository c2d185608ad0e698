"""The Transformer of the paper, two layers of 128: strings of digits and their reverse.

    python -m experiments.train --config=configs/transformer.py --workdir=runs/transformer
    python -m experiments.evaluate --workdir=runs/transformer

Trained on 1 to 10 digits, tested on 1 to 15. Not recorded yet.
"""

from ml_collections import ConfigDict

from genjax.families import transformer


def get_config() -> ConfigDict:
    c = transformer.default_config()
    c.steps = 3000
    c.batch_size = 128
    c.buckets = (11,)  # the longest that is trained on, its end included
    c.eval_every = 1000
    c.sample_every = 1000
    c.model.scan = False
    return c
