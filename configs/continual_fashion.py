"""Fashion-MNIST as a sequence of tasks, as van de Ven, Tuytelaars and Tolias 2022 have MNIST.

    python -m experiments.train --config=configs/continual_fashion.py --workdir=runs/continual
    python -m experiments.train --config=configs/continual_fashion.py:permuted --workdir=runs/pixels

`split`: five tasks of two classes, 2,000 updates each, an MLP of 2 x 400, Adam with a rate of 1e-3.
Recorded: replay in the class-incremental scenario, the default, knows 75.6 % of all ten classes at
the end (seed 0; 75 s on 2 CPU cores, shared); of tasks 1 to 5 69, 53, 65, 95, 96 %.
`permuted`: ten tasks of all classes, each with its pixels in another order, 5,000 updates each, an
MLP of 2 x 1000, a rate of 1e-4. Batches of 128; what replays keeps 100 examples of each class.
`--config.loss.scenario` and `--config.loss.method` choose what is compared by

    python -m experiments.continual --workdir=studies/continual
"""

from ml_collections import ConfigDict

from genjax.families import continual


def get_config(protocol: str = "split") -> ConfigDict:
    c = continual.default_config()
    c.data.name = "tfds:fashion_mnist"
    c.data.protocol = protocol
    c.data.num_tasks = {"split": 5, "permuted": 10}[protocol]
    c.data.steps_per_task = {"split": 2000, "permuted": 5000}[protocol]
    c.steps = c.data.num_tasks * c.data.steps_per_task
    c.eval_every = c.data.steps_per_task
    c.log_every = 200
    c.model.hidden = {"split": (400, 400), "permuted": (1000, 1000)}[protocol]
    c.optimizer.learning_rate = {"split": 1e-3, "permuted": 1e-4}[protocol]
    c.generator.hidden = c.model.hidden
    c.generator.learning_rate = c.optimizer.learning_rate
    return c
