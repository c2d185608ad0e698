"""A config made concrete, checked before anything is written."""

import math
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from genjax import data, families
from genjax.core.config import ConfigError, total_steps, validate
from genjax.core.family import Family
from genjax.data.source import Dataset
from genjax.engine import augmenting, start, teaching
from genjax.engine.checkpoints import from_process_0
from genjax.engine.executor import Executor
from genjax.engine.parallel import make_executor
from genjax.engine.repair import repair
from genjax.engine.workdir import read_data


class Run(NamedTuple):
    """A config made concrete: its data, its family and the executor that runs it.

    `population` holds the seeds and hyper-parameters that the config does not tell, if any; `kept`
    what its folder keeps of a teacher and of variants, by relative path.
    """

    config: ConfigDict
    dataset: Dataset
    family: Family
    executor: Executor
    total_steps: int
    population: Mapping[str, Any] = MappingProxyType({})
    kept: Mapping[str, bytes] = MappingProxyType({})


def prepare(
    config: ConfigDict,
    workdir: str | Path | None = None,
    *,
    use: bool = False,
    arrays: Mapping[str, Any] | None = None,
    **population: Any,
) -> Run:
    """Checks the config, loads its data, builds its family and executor.

    Of `workdir` it mends a damaged config file from the newest checkpoint; else it writes nothing.

    Args:
      config: the resolved config.
      workdir: a run's folder, if it is there: texts become tokens as they did in that run.
      use: whether the run is to be used and not trained: what its folder records of the data then
        stands for them, and they are read when something first asks for an example.
      arrays: the data that are in memory, see `genjax.data.arrays`.
      **population: `seeds` and `hyperparameters` of `Population`.

    Raises:
      ConfigError: a mistake in the config or the data, or in a run that this one goes on from.
    """
    validate(config)
    folder = Path(workdir).expanduser().absolute() if workdir else None
    if folder:
        repair(folder)
        from_process_0(0)  # the others read what it has written
    config = start.adopt(config, folder)
    config = config if use else teaching.adopt(config, folder)
    saved = folder / data.TOKENIZER if folder else None
    record = read_data(folder) if use and folder else None
    tokenizer = (
        start.tokenizer(config) or teaching.tokenizer(config) or augmenting.tokenizer(config)
    )
    if record is not None and saved is not None:
        dataset = data.recorded(config.data, record, saved, tokenizer, arrays)
    else:
        dataset = data.load(config.data, saved, tokenizer, arrays)
    taught = teaching.Lesson(config, dataset)
    kept: dict[str, bytes] = {}
    if not use:
        dataset, kept = augmenting.augmented(config, dataset, folder, prepare)
        taught = teaching.lesson(config, dataset, folder, prepare, population.get("seeds"))
        config, dataset = taught.config, taught.dataset
    examples, number = families.examples_per_step(config), dataset.train.num_examples
    total = total_steps(config, examples, number)
    family = families.build(config, dataset.spec, total)
    if total_steps(config, math.prod(family.batch_shape), number) != total:
        raise ConfigError(
            f"config.family={config.family!r}: a step of it consumes "
            f"{math.prod(family.batch_shape)} examples, not {examples}; its file must have a "
            "function examples_per_step(config) that says so"
        )
    if 0 < number < config.batch_size:
        raise ConfigError(
            f"config.batch_size={config.batch_size}: must be at most the number of training "
            f"examples, {number} in data.name={config.data.name}"
        )
    teaching.check(taught, family)
    seen = dataset if use else dataset.in_training()
    executor = make_executor(family, seen, config, **population)
    return Run(config, dataset, family, executor, total, population, {**taught.kept, **kept})
