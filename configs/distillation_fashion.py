"""A small network learns clothes from a large one (Hinton et al. 2015, section 3), Fashion-MNIST.

    python -m experiments.train --config=configs/distillation_fashion.py:teacher \\
        --workdir=runs/teacher
    python -m experiments.train --config=configs/distillation_fashion.py --workdir=runs/student \\
        --config.teacher.workdir=runs/teacher

The teacher has two layers of 1,200 units and dropout, the student two of 800 without. Left without
a teacher (`:student`), it learns from the labels alone. `experiments/distillation.py` compares all
three over five seeds.

Not recorded yet.
"""

from ml_collections import ConfigDict

from genjax.core.config import ConfigError
from genjax.families import classifier

METHODS = ("distilled", "student", "teacher")


def get_config(method: str = "distilled") -> ConfigDict:
    if method not in METHODS:
        allowed = ", ".join(METHODS)
        raise ConfigError(f"--config=distillation_fashion.py:{method}: must be one of {allowed}")
    c = classifier.picture_config()
    c.epochs = 30.0
    c.batch_size = 128
    c.data.name = "tfds:fashion_mnist"
    c.model.head_hidden = (1200, 1200) if method == "teacher" else (800, 800)
    c.model.dropout = 0.5 if method == "teacher" else 0.0
    c.optimizer.schedule = "cosine"
    c.teacher.keep = method == "distilled"
    return c
