"""MLP that tells the 8x8 digits of scikit-learn apart.

    python -m experiments.train --config=configs/classifier.py --workdir=runs/classifier

99.3 % ± 0.2 of held-out digits are right (five seeds: `--config.executor=vmap
--config.num_seeds=5`, 20 seconds); a run takes 6 seconds on 2 CPU cores beside other jobs.
"""

from ml_collections import ConfigDict

from genjax.families import classifier


def get_config() -> ConfigDict:
    c = classifier.picture_config()
    c.epochs = 60.0
    c.model.head_hidden = (256, 256)
    c.model.dropout = 0.2
    c.optimizer.schedule = "cosine"
    return c
