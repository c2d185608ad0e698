"""Trained runs from their folders; see `genjax.load`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from absl import logging
from ml_collections import ConfigDict

from genjax import families
from genjax.core import files
from genjax.core.config import ConfigError
from genjax.engine.best import BEST, best
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.loop import prepare
from genjax.engine.workdir import CHECKPOINTS, read_config
from genjax.model import Model

__all__ = ["POPULATION", "Model", "load", "read_population"]

POPULATION = "population.json"  # seeds and hyper-parameters, where a config does not tell them


def load(
    workdir: str | os.PathLike, step: int | Literal["best"] | None = None,
    recipe: str | os.PathLike | None = None,
) -> Model:  # fmt: skip
    """The model of the run in `workdir`, on one device, however trained; see `genjax.load`."""
    folder = Path(workdir).expanduser().absolute()
    if recipe is not None:
        families.load(recipe, f"recipe={os.fspath(recipe)!r}")
    config = read_config(workdir).unlock()
    # All executors of a single run write the same checkpoints, and one device reads them.
    config.executor = "vmap" if config.executor == "vmap" else "scan"
    config.lock()
    if families.changed(config.family, folder):
        logging.warning(
            "%s: was trained by another program of the family %s than the one given; that one is "
            "kept there as recipe.py.txt", workdir, config.family,
        )  # fmt: skip
    run = prepare(config, folder, use=True, **read_population(folder))
    checkpoints = Checkpoints(folder / (BEST if step == "best" else CHECKPOINTS))
    template = run.executor.template()
    if step == "best":
        step = _best_step(workdir, config)
    if step is None:
        found = checkpoints.restore(template)
        if found is None:
            raise ConfigError(f"--workdir={workdir}: has no complete checkpoint")
        step, state = found
    else:
        state = checkpoints.restore_step(template, step)
    checkpoints.close()
    return Model(run, state, step, run.executor.num_members)


def _best_step(workdir: str | os.PathLike, config: ConfigDict) -> int:
    found = None
    if config.best_metric:
        folder = Path(workdir).expanduser().absolute()
        found = best(folder, config.best_metric, config.best_mode)
    if found is None:
        raise ConfigError(
            f"--workdir={workdir}: keeps no best checkpoint; train with config.best_metric"
        )
    return found.step


def read_population(workdir: Path) -> Mapping[str, Any]:
    """Arguments of `prepare` that a sweep wrote beside its group's config; empty for other runs."""
    path = workdir / POPULATION
    if not path.exists():
        return {}
    try:
        record = files.read_json(path)
        seeds, swept = record["seeds"], record["hyperparameters"]
        if not all(type(seed) is int for seed in seeds):
            raise ValueError("seeds: must be a list of whole numbers")
        for name, values in swept.items():
            if len(values) != len(seeds) or not all(isinstance(v, int | float) for v in values):
                raise ValueError(f"{files.shown(name)}: must be a number for each seed")
        return {"seeds": seeds, "hyperparameters": swept}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        told = f"{path}: cannot be read ({type(error).__name__}: {files.reason(error)})"
        raise ConfigError(told) from error
