"""Continual learning: what each method keeps of tasks that are learned one after the other.

    python -m experiments.continual --workdir=DIR [--protocol=split] [--seeds=10]
        [--scenarios=task,domain,class] [--methods=none,joint,ewc,…] [--data=fashion] [--steps=N]

`--protocol=split` deals the ten classes of Fashion-MNIST out to five tasks, in an order of each
seed's own; `permuted` has ten tasks, each with an order of the pixels. Networks, rates and lengths
are those of van de Ven, Tuytelaars and Tolias 2022 (see configs/continual_fashion.py). Every method
in every scenario is one population of seeds, and the same command again resumes. `--data=digits` is
the same on the bundled digits, in minutes; `--steps` shortens the run, all tasks together.

DIR gets results.md and results.json: average accuracy, forgetting and backward transfer, with
standard errors over the seeds, beside the published accuracy on MNIST; seconds of each population
and the floating point operations a second that it reached; and pictures, the accuracy matrix of
each method and the accuracy on the first task as others follow.

Settings are chosen without the test split, on a tenth of the training split, by which runs that
train are evaluated; for each method and scenario by

    python -m experiments.sweep --config=configs/continual_fashion.py --workdir=DIR --seeds=3
        --config.data.validation_fraction=0.1 --config.loss.method=si --config.loss.scenario=domain
        --grid loss.weight=1e2,1e3,1e4,1e5
"""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from ml_collections import ConfigDict

from experiments import pictures, study
from genjax import recipes
from genjax.cli import program
from genjax.core.config import ConfigError
from genjax.data.tasks import PROTOCOLS
from genjax.evaluation.continual import average_accuracy, backward_transfer, forgetting
from genjax.families._continual_fields import METHODS, SCENARIOS

# Accuracy in percent on split MNIST: van de Ven and Tolias 2019, table 4; er is of van de Ven,
# Tuytelaars and Tolias 2022, whose protocol this is.
PUBLISHED: dict[str, dict[str, float]] = {
    "task": {
        "none": 87.2, "joint": 99.7, "ewc": 98.6, "online_ewc": 99.1, "si": 99.1, "lwf": 99.6,
        "dgr_vae": 99.5, "dgr_vae_distilled": 99.6,
    },
    "domain": {
        "none": 59.2, "joint": 98.4, "ewc": 64.0, "online_ewc": 64.3, "si": 65.4, "lwf": 71.5,
        "dgr_vae": 95.7, "dgr_vae_distilled": 96.8, "er": 93.8,
    },
    "class": {
        "none": 19.9, "joint": 97.9, "ewc": 20.0, "online_ewc": 20.0, "si": 20.0, "lwf": 23.9,
        "dgr_vae": 90.8, "dgr_vae_distilled": 91.8, "er": 89.0,
    },
}  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the study; returns the exit status."""
    return program.run(_continual, argv, trains=True)


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    study.define(values, METHODS)
    flags.DEFINE_list("scenarios", list(SCENARIOS), "What is asked at test time.", **text)
    flags.DEFINE_enum("protocol", "split", list(PROTOCOLS), "What a task is.", **text)
    flags.DEFINE_enum("data", "fashion", ["fashion", "digits"], "Fashion-MNIST or digits.", **text)


def _continual(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    methods = study.chosen(values, "methods", METHODS)
    scenarios = study.chosen(values, "scenarios", SCENARIOS)
    runs = {f"{s}/{m}": config(s, m, values) for s in scenarios for m in methods}
    status = study.train(values.workdir, runs, program.command("continual", *argv))
    if status in (program.BAD, program.STOPPED):
        return status
    folder = Path(values.workdir).expanduser()
    found = {name: matrix(folder / name, c) for name, c in runs.items()}
    tables = {
        scenario: [
            _row(scenario, method, folder, found[f"{scenario}/{method}"], values.protocol)
            for method in methods
        ]
        for scenario in scenarios
    }
    study.report(folder, tables, _pictures(scenarios, methods, found))
    return status


def config(scenario: str, method: str, values: Any) -> ConfigDict:
    """Makes the run of a method in a scenario: a population of seeds."""
    name = {"fashion": "continual_fashion", "digits": "continual"}[values.data]
    c = recipes.load(f"{name}:{values.protocol}").unlock()
    tasks = c.data.num_tasks
    if values.steps % tasks:
        raise ConfigError(f"--steps={values.steps}: must be a multiple of the {tasks} tasks")
    c.steps = values.steps or c.steps
    c.data.steps_per_task = c.steps // tasks
    c.data.joint = method == "joint"
    c.loss.update(scenario=scenario, method=method)
    c.loss.fisher_steps = min(c.loss.fisher_steps, max(1, c.data.steps_per_task // 10))
    c.executor, c.num_seeds = "vmap", values.seeds
    c.eval_every = c.checkpoint_every = c.data.steps_per_task
    c.log_every = _tenth(c.data.steps_per_task)
    return c.lock()


def _tenth(steps: int) -> int:
    """Returns the largest divisor of `steps` that is at most a tenth of them, or 1."""
    return max(n for n in range(1, max(1, steps // 10) + 1) if steps % n == 0)


def matrix(run: Path, config: ConfigDict) -> np.ndarray:
    """Reads the accuracies (T, T, members) of a run; NaN where it did not get to."""
    tasks, each = config.data.num_tasks, config.data.steps_per_task
    found = np.full((tasks, tasks, config.num_seeds), math.nan)
    history = study.history(run)
    for j in range(tasks):
        series = history.get(f"eval/accuracy_task_{j + 1}")
        if series is not None:
            for step, value in zip(*series):
                found[step // each - 1, j] = value
    return found


def _row(scenario: str, method: str, folder: Path, found: np.ndarray, protocol: str) -> study.Row:
    run = folder / scenario / method
    row: dict[str, Any] = {"method": method, "accuracy %": 100 * average_accuracy(found)}
    if method != "joint":
        row["forgetting"] = 100 * forgetting(found)
        row["backward transfer"] = 100 * backward_transfer(found)
    published = PUBLISHED[scenario].get(method) if protocol == "split" else None
    row["MNIST, published"] = published if published is not None else "–"
    row["seconds"] = study.seconds(run)
    row["GFLOP/s"] = study.flops_per_second(run) / 1e9
    return row


def _pictures(
    scenarios: Sequence[str], methods: Sequence[str], found: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    drawn, first = {}, {}
    for scenario in scenarios:
        of_methods = {m: found[f"{scenario}/{m}"] for m in methods}
        drawn[f"matrix_{scenario}"] = pictures.plot_matrices(
            {m: np.mean(a, -1) for m, a in of_methods.items()}, ("task", "behind task")
        )
        number = np.arange(1, len(next(iter(of_methods.values()))) + 1)
        first[f"{scenario}: accuracy on task 1"] = {
            m: (number, a[:, 0]) for m, a in of_methods.items()
        }
    drawn["first_task"] = pictures.plot_series(first, columns=3, xlabel="tasks learned")
    return drawn


if __name__ == "__main__":
    sys.exit(main())
