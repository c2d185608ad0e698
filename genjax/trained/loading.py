"""Trained runs from their folders; see `genjax.load`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from absl import logging
from ml_collections import ConfigDict

from genjax import families
from genjax.core.config import ConfigError, for_one_device
from genjax.engine.best import BEST, best
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.layout import CHECKPOINTS
from genjax.engine.run import prepare
from genjax.engine.workdir import read_config, read_population
from genjax.trained.model import Model

__all__ = ["Model", "load"]


def load(
    workdir: str | os.PathLike[str],
    step: int | Literal["best"] | None = None,
    recipe: str | os.PathLike[str] | None = None,
    data: Mapping[str, Any] | None = None,
) -> Model:
    """Loads the run in `workdir` on one device, however trained; see `genjax.load`."""
    folder = Path(workdir).expanduser().absolute()
    if recipe is not None:
        families.load(recipe, f"recipe={os.fspath(recipe)!r}")
    config = for_one_device(read_config(workdir))
    if recipe is not None:
        families.check_needed(recipe, config, f"recipe={os.fspath(recipe)!r}")
    if families.changed(config.family, folder):
        logging.warning(
            "%s: was trained by another program of the family %s than the one given; that one is "
            "kept there as recipe.py.txt",
            workdir,
            config.family,
        )
    run = prepare(config, folder, use=True, arrays=data, **read_population(folder))
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


def _best_step(workdir: str | os.PathLike[str], config: ConfigDict) -> int:
    found = None
    if config.best_metric:
        folder = Path(workdir).expanduser().absolute()
        found = best(folder, config.best_metric, config.best_mode)
    if found is None:
        raise ConfigError(
            f"--workdir={workdir}: keeps no best checkpoint; train with config.best_metric"
        )
    return found.step
