"""How a run begins: what else is checked, what its folder gets, and the line that says so."""

import json
from collections.abc import Sequence
from pathlib import Path

import jax
from absl import logging

from genjax import data
from genjax.data import found as facts
from genjax.data.text import vocabulary
from genjax.engine import start
from genjax.engine.best import check_metric
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.hooks import NO_HOOKS, Hooks
from genjax.engine.layout import CHECKPOINTS, POPULATION
from genjax.engine.run import Run
from genjax.engine.workdir import check_workdir


def check(run: Run, workdir: str | Path, hooks: Hooks = NO_HOOKS) -> None:
    """Raises `ConfigError` where `train` would, as far as reading little tells; writes nothing."""
    check_best(run, hooks)
    path, _ = check_workdir(workdir, run.config, run.dataset, population=run.population)
    checkpoints = Checkpoints(path / CHECKPOINTS)
    checkpoints.check(run.executor.template())
    if not checkpoints.steps():
        start.check(run.config, run.executor)


def check_best(run: Run, hooks: Hooks) -> None:
    """Raises `ConfigError` unless an evaluation gives `config.best_metric`, if there is one."""
    if run.config.best_metric:
        check_metric(run.config.best_metric, {*run.executor.evaluated(), *hooks.score_names})


def files(run: Run, folder: Path) -> dict[str, bytes]:
    """Returns what belongs to the run's folder beside `config.json`, by relative path."""
    found = {**run.kept, **start.kept(run.config, folder)}
    if run.dataset.codec is not None:
        found[f"{data.TOKENIZER}/{vocabulary.FILE}"] = vocabulary.content(
            vocabulary.of(run.dataset), run.dataset.spec.kind
        )
    if run.population:
        found[POPULATION] = json.dumps(dict(run.population), indent=2).encode()
    return found


def announce(run: Run, said: Sequence[str]) -> None:
    """Logs `said`, what was found, in one line, and a line for each probable mistake in it."""
    for line in said:
        logging.info("%s", line)
    device, n = jax.devices()[0], jax.device_count()
    where = f"{n} x {device.device_kind}" if n > 1 else device.device_kind
    line = facts.line(run.dataset, run.config.data.name)
    logging.info("%s; on %s, %s", line, where, run.config.precision)
    for warning in facts.warnings(run.dataset):
        logging.warning("warning: %s: %s", run.config.data.name, warning)
