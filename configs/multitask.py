"""Digits, how far they are turned and whether they are mirrored: three tasks, one network.

    python -m experiments.train --config=configs/multitask.py --workdir=runs/multitask

8 s on 2 CPU cores. Test accuracy: class 98.9 %, rotation 96.1 %, mirroring 98.9 % (seed 0).
"""

from ml_collections import ConfigDict

from genjax.families import multitask


def get_config() -> ConfigDict:
    c = multitask.default_config()
    c.steps = 4000
    c.batch_size = 96
    c.optimizer.schedule = "cosine"
    return c
