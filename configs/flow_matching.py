"""Flow matching on the bundled digits.

    python -m experiments.train --config=configs/flow_matching.py --workdir=runs/flow
    python -m experiments.evaluate --workdir=runs/flow

Not recorded yet.
"""

from ml_collections import ConfigDict

from genjax.families import flow_matching


def get_config() -> ConfigDict:
    c = flow_matching.default_config()
    c.steps = 4000
    c.batch_size = 128
    c.log_every = 200
    c.ema_decay = 0.999
    c.optimizer.schedule = "linear"
    c.optimizer.warmup_steps = 100
    return c
