"""Mode collapse: how many modes of a known distribution GANs find, side by side.

    python -m experiments.mode_collapse --workdir=DIR [--methods=gan,pacgan2,wgan,wgan_gp,r3gan]
        [--data=ring,grid,stacked_digits] [--seeds=10] [--steps=N] [--protocol=pacgan]

On each data set all methods have the same networks, batch size and number of updates; see
configs/gan_mixture.py and configs/gan_stacked_digits.py. Each trains its seeds as one program.
Mixtures are scored on 2,500 samples and stacked digits on 26,000, as PacGAN scores (Lin et al.
2018, section 4): modes found, share of samples of high quality, KL divergence of the modes' shares
from the uniform; the same scores of true samples are what a perfect generator would reach.

--protocol=pacgan trains ring and grid as the paper does, with its networks and optimizer for 400
epochs of 100,000 samples: hours on a GPU.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import flags
from ml_collections import ConfigDict

from experiments import pictures, study
from genjax import data, recipes
from genjax.cli import program
from genjax.core.config import ConfigError
from genjax.data.toy import mixtures
from genjax.evaluation.samples import mode_scorer
from genjax.plots.grid import image_grid
from genjax.trained.loading import load

METHODS = ("gan", "pacgan2", "wgan", "wgan_gp", "r3gan")
DATA = ("ring", "grid", "stacked_digits")
SCORES = ("modes", "high_quality", "reverse_kl")
# The best published rows: Lin et al. 2018, tables 1 and 2.
PUBLISHED = {
    "ring": [{"method": "PacGAN2, published"} | dict(zip(SCORES, (7.9, 0.956, 0.07)))],
    "grid": [{"method": "PacGAN4, published"} | dict(zip(SCORES, (24.8, 0.936, 0.04)))],
}
_SHOWN = 36  # pictures of a method


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the study; returns the exit status."""
    return program.run(_mode_collapse, argv, trains=True)


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    study.define(values, METHODS)
    flags.DEFINE_list("data", list(DATA), "On which data.", **text)
    flags.DEFINE_enum("protocol", "own", ["own", "pacgan"], "Networks and length.", **text)


def _mode_collapse(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    methods, names = (
        study.chosen(values, flag, known) for flag, known in [("methods", METHODS), ("data", DATA)]
    )
    runs = {
        f"{name}/{method}": _config(name, method, values) for name in names for method in methods
    }
    status = study.train(values.workdir, runs, program.command("mode_collapse", *argv))
    if status in (program.BAD, program.STOPPED):
        return status
    folder = Path(values.workdir).expanduser()
    tables: dict[str, list[study.Row]] = {}
    drawn: dict[str, np.ndarray] = {}
    for name in names:
        trained = {method: folder / name / method for method in methods}
        config = runs[f"{name}/{methods[0]}"]
        rows = [_row(method, run, config.steps) for method, run in trained.items()]
        tables[name] = [*rows, _true_row(config, values.seeds), *PUBLISHED.get(name, [])]
        drawn |= _pictures(config, trained)
    study.report(folder, tables, drawn)
    return status


def _config(name: str, method: str, values: Any) -> ConfigDict:
    """Makes the run of a method on the data `name`."""
    if name == "stacked_digits":
        c = recipes.load(f"gan_stacked_digits:{method}").unlock()
    else:
        c = recipes.load(f"gan_mixture:{method},{name}").unlock()
        c.eval_num_samples = 2500
    if values.protocol == "pacgan":
        c = published_protocol(c)
    return study.population(c, values)


def published_protocol(config: ConfigDict) -> ConfigDict:
    """Gives a method on a mixture the networks, optimizer and length of Lin et al. 2018, 4.1.

    Raises:
      ConfigError: the data are no mixture.
    """
    if config.data.name == "stacked_digits":
        raise ConfigError("--protocol=pacgan: is for mixtures; needs --data=ring,grid")
    c = config.copy_and_resolve_references().unlock()
    c.batch_size, c.steps, c.ema_decay = 100, 400_000, 0.0
    c.model.update(
        latent_dim=2,
        generator_hidden=(400,) * 4,
        generator_norm="batch",
        critic_hidden=(200,) * 3,
        critic_activation="maxout",
    )
    for optimizer in (c.optimizer, c.critic_optimizer):
        if optimizer.name == "adam":
            optimizer.update(learning_rate=1e-4, b1=0.8, b2=0.999, schedule="constant")
    return c


def _row(method: str, run: Path, steps: int) -> study.Row:
    """Reads the scores at the end of a run; not finite where it diverged before."""
    scores = study.history(run)
    ended = all(f"eval/{n}" in scores and scores[f"eval/{n}"].step[-1] == steps for n in SCORES)
    values = {n: scores[f"eval/{n}"].value[-1] if ended else math.nan for n in SCORES}
    return {"method": method} | values | {"seconds": study.seconds(run)}


def _true_row(config: ConfigDict, num_seeds: int) -> study.Row:
    """Scores as many true samples, for as many seeds."""
    scorer = mode_scorer(config)
    assert scorer is not None
    each = [scorer(_true_samples(config, config.eval_num_samples, i)) for i in range(num_seeds)]
    return {"method": "true samples"} | {n: np.array([e[n] for e in each]) for n in SCORES}


def _true_samples(config: ConfigDict, n: int, seed: int) -> np.ndarray:
    source = data.load(config.data).train
    planned = source.plan(jax.random.key(seed), source.cursor(0, (n,)), 1, (n,))
    rows = jax.tree.map(lambda a: a[0], planned)
    return np.asarray(source.fetch(source.arrays, rows)["x"])


def _pictures(config: ConfigDict, trained: Mapping[str, Path]) -> dict[str, np.ndarray]:
    """Draws samples of each method's first member beside true ones, and scores over time."""
    name = config.data.name
    found = {m: h for m, run in trained.items() if "eval/modes" in (h := study.history(run))}
    n = _SHOWN if name == "stacked_digits" else config.eval_num_samples
    samples = {"true samples": _true_samples(config, n, 0)}
    samples |= {m: load(trained[m]).sample(n)[0] for m in found}
    if name == "stacked_digits":
        drawn = pictures.plot_pictures({m: image_grid(x) for m, x in samples.items()})
    else:
        drawn = pictures.plot_mixtures(samples, mixtures.centers(name), mixtures.SIGMA[name])
    curves = {n: {m: h[f"eval/{n}"] for m, h in found.items()} for n in SCORES}
    over_time = pictures.plot_series(curves, columns=3, log=["reverse_kl"])
    return {f"{name}_samples": drawn, f"{name}_over_time": over_time}


if __name__ == "__main__":
    sys.exit(main())
