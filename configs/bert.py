"""BERT of words, 4 layers of 128, on Python's own docs.

    python -m experiments.train --config=configs/bert.py --workdir=runs/bert
    python -m experiments.ngrams --workdir=runs/bert

Not recorded yet.
"""

from ml_collections import ConfigDict

from genjax.families import bert


def get_config() -> ConfigDict:
    c = bert.default_config()
    c.steps = 1500
    c.batch_size = 32
    c.eval_every = 500
    c.sample_every = 500
    c.checkpoint_every = 500
    c.num_samples = 8
    c.model.scan = False
    c.optimizer.schedule = "cosine"
    c.optimizer.warmup_steps = 100
    return c
