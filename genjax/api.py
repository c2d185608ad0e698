"""What `import genjax` offers beside families and losses: recipes, training, trained models."""

import contextlib
import functools
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from absl import flags
from ml_collections import ConfigDict

from genjax import recipes
from genjax.core.config import ConfigError, in_python

if TYPE_CHECKING:  # they start JAX
    import jax.export

    from genjax.engine.best import Best
    from genjax.trained.model import Model


def recipe(name: str | os.PathLike[str], *overrides: str, **fields: Any) -> ConfigDict:
    """Returns the config of a recipe, locked.

        genjax.recipe("wgan_gp_mixture:ring", "loss.n_critic=5", batch_size=256)

    Args:
      name: of a recipe, or the path of its file, which is executed; `:ARG` at its end is handed to
        its `get_config`. Or the `config.json` of a run.
      *overrides: `FIELD=VALUE`, as on a command line behind `--config.`.
      **fields: the same by keyword; a field of a section as `**{"loss.n_critic": 5}`.

    Raises:
      ConfigError: a `ValueError`: no such recipe or field, or a value of another type.
    """
    given = [*overrides, *(f"{field}={value}" for field, value in fields.items())]
    with _in_python():
        config = recipes.load(os.fspath(name))
        return recipes.override(config, [f"--config.{o}" for o in given], flags.FlagValues())


def load(
    workdir: str | os.PathLike[str],
    step: int | Literal["best"] | None = None,
    *,
    recipe: str | os.PathLike[str] | None = None,
    data: Mapping[str, Any] | None = None,
) -> "Model":
    """Loads a trained model from the folder of its run.

        model = genjax.load("runs/ae")
        codes = model.encode(images)

    Args:
      workdir: the run's folder.
      step: of the checkpoint; "best": the one kept by `best_metric`; None: the newest complete one.
      recipe: the file of a family of one's own, `my_vae.py`, which is executed. Nothing in the
        run's folder ever is.
      data: the arrays that the run was trained on, see `train`; only what needs examples needs
        them: `model.evaluate()`.

    Raises:
      ConfigError: a `ValueError`: no run there, or no such checkpoint.
    """
    from genjax.trained.loading import load

    with _in_python():
        return load(workdir, step, recipe, data)


def export(
    run: ConfigDict | str | os.PathLike[str],
    platforms: Sequence[str] = ("cuda", "tpu"),
    data: Mapping[str, Any] | None = None,
) -> "dict[str, jax.export.Exported]":
    """Exports the training step of a config or a run, for platforms that need not be there.

        exported = genjax.export("runs/vae", ["cuda"])["cuda"]
        Path("step.bin").write_bytes(exported.serialize())  # needs pip install flatbuffers

    A step takes the leaves of a state by name, keys as their integers, and a batch; it returns the
    leaves of the next state and the metrics. `jax.export.deserialize(…).call(leaves, batch)` makes
    one, on such a device, without genjax. Each platform has what suits it: convolutions, attention
    and tables are computed otherwise on a CPU.

    Args:
      run: a config as from `recipe`, or the folder of a run, whose teacher must be there if it has
        one. Of a population: one member's step; of a run on many devices: that of one device.
      platforms: of `cpu`, `cuda`, `rocm` and `tpu`.
      data: the arrays that it is trained on, if they are in memory; see `train`.

    Raises:
      ConfigError: a `ValueError`: a mistake in the config, no such run, or no such platform.
    """
    from genjax.core.config import for_one_device
    from genjax.data import arrays
    from genjax.engine import augmenting, exporting, teaching
    from genjax.engine.run import prepare
    from genjax.engine.workdir import read_config

    with _in_python():
        if isinstance(run, ConfigDict):
            made = prepare(for_one_device(arrays.named(run, data)), arrays=data)
            return exporting.export(made, platforms)
        folder = Path(run).expanduser().absolute()
        config = for_one_device(read_config(folder))
        # What a teacher or an augmenter adds to a batch is there when the run is trained.
        use = not (teaching.taught(config) or augmenting.tokenizer(config))
        return exporting.export(prepare(config, folder, use=use, arrays=data), platforms)


@dataclass(frozen=True)
class Result:
    """How a run ended.

    Attributes:
      step: where it is, its end.
      metrics: the numbers of the last evaluation by name; lists of a population's members.
      workdir: its folder.
      best: the best evaluation by `config.best_metric`, whose state is kept: `load(workdir,
        "best")`; None where the config names none.
    """

    step: int
    metrics: Mapping[str, Any]
    workdir: Path
    best: "Best | None" = None
    _data: Mapping[str, Any] | None = field(default=None, repr=False)

    @functools.cached_property
    def model(self) -> "Model":
        """The trained model, loaded when first asked for."""
        return load(self.workdir, data=self._data)


def train(
    config: ConfigDict, workdir: str | os.PathLike[str], data: Mapping[str, Any] | None = None
) -> Result:
    """Trains as the program does, or goes on with the run that is in the folder.

        result = genjax.train(genjax.recipe("vae", steps=500), "runs/vae", {"x": images})
        samples = result.model.sample(64)

    Metrics, pictures and checkpoints go to the folder, progress to standard error. A signal that
    stops it, as an interrupted cell of a notebook does, takes effect once a checkpoint is written;
    called again, it goes on from there.

    Args:
      config: as from `recipe`.
      workdir: the run's folder; made if need be.
      data: arrays in the place of `config.data.name`: `x`, images (N, H, W, C), uint8 or floats in
        [0, 1], or points (N, D), floats; `label`, whole numbers (N,), if there are any; and `test`,
        a dict of the same for the test split. Without it a fixed `config.data.test_fraction` (of
        each class) is held out. See `genjax.data.arrays`.

    Raises:
      ConfigError: a `ValueError`: a mistake in the config, the data or the folder; nothing was
        written.
      genjax.engine.loop.Diverged: training is not finite any more.
      genjax.engine.checkpoints.SaveError: a checkpoint could not be written.
    """
    from genjax.data import arrays
    from genjax.engine import loop
    from genjax.engine.run import prepare
    from genjax.engine.writers import last_evaluation
    from genjax.evaluation.shown import hooks

    if not isinstance(config, ConfigDict):
        raise ConfigError(f"config={config!r}: must be a ConfigDict, as genjax.recipe(…) gives it")
    folder = Path(workdir).expanduser().absolute()
    with _in_python():
        run = prepare(arrays.named(config, data), folder, arrays=data)
        summary = loop.train(run, folder, hooks=hooks(run))
    if summary.signal is not None:
        signal.raise_signal(summary.signal)  # its handler is again the one of before
    metrics = summary.evaluation or last_evaluation(folder)
    return Result(summary.step, metrics, folder, summary.best, data)


@contextlib.contextmanager
def _in_python() -> Iterator[None]:
    """Errors name arguments, where those of programs name flags."""
    try:
        yield
    except ConfigError as error:
        raise in_python(error) from error
