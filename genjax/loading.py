"""A trained run as an object: its state, its samples, and the functions of its family."""

import functools
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
from ml_collections import ConfigDict

from genjax import families
from genjax.core.config import ConfigError, fill
from genjax.core.family import State, sample_key
from genjax.engine.best import BEST, best
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.loop import Run, prepare
from genjax.engine.workdir import CHECKPOINTS, read_config

POPULATION = "population.json"  # seeds and hyper-parameters, where a config does not tell them


class Model:
    """A trained model, or a population of them.

    Beside `sample`, it has the family's further functions (`family.functions`: `encode`, `decode`,
    `reconstruct`, `score`, …), jitted and without their first argument, the state. They take NumPy
    arrays as well. On a population they work on all members at once: what they take is the same
    for all, what they return has the members as its first axis.

    Attributes:
      config: the run's, locked.
      family: the pure functions.
      run: the run made concrete: `run.dataset`, `run.executor`.
      state: of the checkpoint.
      step: of the checkpoint.
      num_members: of a population; 0 for a single model.
    """

    def __init__(self, run: Run, state: State, step: int, num_members: int):
        self.run, self.config, self.family = run, run.config, run.family
        self.state, self.step, self.num_members = state, step, num_members

    def __getattr__(self, name: str) -> Any:
        functions = self.__dict__["family"].functions if "family" in self.__dict__ else {}
        if name not in functions:
            known = ", ".join(["sample", *functions])
            raise AttributeError(f"{name!r}: this model has {known}")
        return functools.partial(self._jitted(name), self.state)

    def sample(self, n: int, seed: int | None = None) -> np.ndarray:
        """`n` examples in the range of the data, with a first axis (members,) for a population.

        Args:
          n: how many.
          seed: of the draw; None: those that the run itself shows at this step.
        """
        state = self.state
        if seed is None:
            return np.asarray(self._sampler(n)(state))
        return np.asarray(self._sampler(n, keyed=True)(state, jax.random.key(seed)))

    def evaluate(self) -> dict[str, np.ndarray]:
        """Means over the test split, of shape (members,) for a population."""
        if self.num_members != self.run.executor.num_members:
            raise ValueError("evaluate the population, of which this is a member")
        return self.run.executor.evaluate(self.state)

    def member(self, i: int) -> "Model":
        """Member `i` of a population, as a single model."""
        if not 0 <= i < self.num_members:
            raise IndexError(f"member {i}: must be below {self.num_members}, the number of members")
        state = jax.tree.map(lambda x: x[i], self.state.replace(step=None))  # all share the step
        return Model(self.run, state.replace(step=self.state.step), self.step, 0)

    @functools.cache  # noqa: B019 - its programs live as long as the model
    def _jitted(self, name: str) -> Any:
        return self._over_members(self.family.functions[name])

    @functools.cache  # noqa: B019
    def _sampler(self, n: int, *, keyed: bool = False) -> Any:
        if keyed:
            return self._over_members(lambda state, key: self.family.sample(state, key, n))
        return self._over_members(lambda state: self.family.sample(state, sample_key(state), n))

    def _over_members(self, f: Any) -> Any:
        if not self.num_members:
            return jax.jit(f)
        axes = jax.tree.map(lambda _: 0, self.state).replace(step=None)
        return jax.jit(lambda s, *args: jax.vmap(lambda m: f(m, *args), in_axes=(axes,))(s))


def load(workdir: str | os.PathLike, step: int | Literal["best"] | None = None) -> Model:
    """The model of the run in `workdir`, on one device, however trained; see `genjax.load`."""
    folder = Path(workdir).expanduser().absolute()
    config = read_config(workdir).unlock()
    fill(config, families.default_config(config.family))  # fields that are younger than the run
    # All executors of a single run write the same checkpoints, and one device reads them.
    config.executor = "vmap" if config.executor == "vmap" else "scan"
    config.lock()
    run = prepare(config, folder, **read_population(folder))
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
        record = json.loads(path.read_text())
        return {name: record[name] for name in ("seeds", "hyperparameters")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error
