"""A small Transformer learns to translate from a large one (Kim and Rush 2016), Multi30k.

    python -m experiments.train --config=configs/distillation_multi30k.py:teacher \\
        --workdir=runs/teacher --config.data.dir=DIR
    python -m experiments.train --config=configs/distillation_multi30k.py:sequence \\
        --workdir=runs/student --config.data.dir=DIR --config.teacher.workdir=runs/teacher

The teacher is that of `transformer_multi30k.py`, 3 layers of 256; the student has 2 layers of 128.
It learns from the references alone (`student`), from the teacher's distribution of each of their
tokens as well (`word`), or from the teacher's translations in place of the references (`sequence`,
the default). `experiments/distillation.py` compares all four.

Not recorded yet. The teacher has 7.5 M parameters and takes some 45 minutes on 2 CPU cores, the
student has 2.4 M and makes 2,719 updates, of 0.56 s each where eight processes share these cores;
there a step of the search (beam of 5, 64 sources) takes 0.12 s, so all 29,000 some 15 minutes.
"""

from ml_collections import ConfigDict

from genjax import recipes
from genjax.core.config import ConfigError

METHODS = ("sequence", "word", "student", "teacher")


def get_config(method: str = "sequence") -> ConfigDict:
    if method not in METHODS:
        allowed = ", ".join(METHODS)
        raise ConfigError(f"--config=distillation_multi30k.py:{method}: must be one of {allowed}")
    c = recipes.beside(__file__, "transformer_multi30k")
    if method == "teacher":
        return c
    c.epochs = 12.0
    c.model.update(num_layers=2, num_heads=4, width=128, mlp_dim=256, dropout=0.1)
    c.optimizer.update(learning_rate=2e-3)
    c.teacher.update(weight=0.5 if method == "word" else 0.0)
    c.teacher.update(targets=1.0 if method == "sequence" else 0.0)
    return c
