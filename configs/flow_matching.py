"""Flow matching on the bundled digits.

    python -m experiments.train --config=configs/flow_matching.py --workdir=runs/flow
    python -m experiments.evaluate --workdir=runs/flow

194 s on 2 CPU cores. A classifier trained on the real digits is more than 0.9 sure of 91.2 % of
2,500 samples (of real held-out digits: 97.2 %) and finds all ten classes.
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
