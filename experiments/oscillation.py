"""Oscillation: what GAN losses do over time, with and without the known remedies.

    python -m experiments.oscillation --workdir=DIR [--methods=non_saturating,r1,…] [--data=ring]
        [--seeds=10] [--steps=N]

First the Dirac-GAN (see experiments/dirac.py), where the answer is exact: eigenvalues of the
gradient flow, and where alternating gradient descent ends. Then networks: one GAN at a constant
learning rate, and the same GAN with one remedy at a time. Of the second half of each run the table
tells how much the losses and the quality of samples vary in time; and of the whole run how the
losses rank the quality: 1 or -1 where a loss tells it, 0 where it says nothing.

Quality: the mode scores of `ring`; the FID of `digits` by genjax's own classifier.

Recorded on the ring, ten seeds, 9 minutes on 2 busy CPU cores: over the second half of a run the
share of samples of high quality varies by 0.17 without a remedy, 0.16 with R1 and 0.15 with
WGAN-GP, though R1 makes the critic's loss twenty times calmer (0.0009 for 0.017): calm losses say
nothing of the samples. The average of the weights (0.017) and a falling rate (0.045) steady them,
at 95 and 94 % of high quality in the end for 78; R1 and WGAN-GP keep the modes (reverse KL 0.002
for 0.07). The critic's loss goes with high quality (rank correlation 0.6 to 0.8) as both grow with
training; with instance noise the sign is the other (-0.7), and of the modes no loss tells much.
"""

import functools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from ml_collections import ConfigDict
from scipy.stats import spearmanr

from experiments import dirac, study
from experiments.pictures import plot_paths, plot_series
from genjax import recipes
from genjax.cli import program

# What each changes in the non-saturating GAN, which has none of them.
METHODS: dict[str, dict[str, Any]] = {
    "non_saturating": {},
    "minimax": {"loss.adversarial": "minimax"},
    "two_timescale": {"optimizer.learning_rate": 2.5e-4},
    "label_smoothing": {"loss.label_smoothing": 0.1},
    "instance_noise": {"loss.instance_noise": 0.5},
    "decay": {"optimizer.schedule": "linear", "critic_optimizer.schedule": "linear"},
    "ema": {"ema_decay": 0.999},
    "r1": {"loss.penalty": "r1", "loss.penalty_weight": 0.1},
    "wgan_gp": {
        "loss.adversarial": "wasserstein", "loss.penalty": "wgan_gp", "loss.penalty_weight": 0.1,
    },
}  # fmt: skip
QUALITY = {"ring": ("high_quality", "reverse_kl"), "digits": ("fid",)}
LOSSES = ("critic_loss", "generator_loss")
_EVALUATIONS = 40
_STEP_SIZE, _STEPS, _STARTS = 0.1, 2000, 16  # of the Dirac-GAN


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the study; returns the exit status."""
    return program.run(_oscillation, argv, trains=True)


def _define(values: flags.FlagValues) -> None:
    study.define(values, METHODS)
    flags.DEFINE_enum("data", "ring", list(QUALITY), "What networks learn.", flag_values=values)


def _oscillation(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    methods = study.chosen(values, "methods", METHODS)
    runs = {method: _config(method, values) for method in methods}
    status = study.train(values.workdir, runs, program.command("oscillation", *argv))
    if status in (program.BAD, program.STOPPED):
        return status
    folder = Path(values.workdir).expanduser()
    found = {method: study.history(folder / method) for method in methods}
    found = {m: h for m, h in found.items() if f"eval/{QUALITY[values.data][0]}" in h}
    exact, paths = _dirac()
    tables = {
        "Dirac-GAN": exact,
        f"Networks on {values.data}": [_varying(m, h, values.data) for m, h in found.items()],
        "What the losses say of the quality, rank correlation over time": [
            _telling(m, h, values.data) for m, h in found.items()
        ],
    }
    study.report(folder, tables, {"dirac": paths, **_pictures(found, values.data)})
    return status


def _config(method: str, values: Any) -> ConfigDict:
    """Makes a recipe's GAN without its remedies against oscillation, and with one."""
    recipe = {"ring": "gan_mixture:gan,ring", "digits": "gan"}[values.data]
    c = recipes.load(recipe).unlock()
    c.loss.update(label_smoothing=0.0, instance_noise=0.0)
    c.ema_decay = 0.0
    for section in (c.optimizer, c.critic_optimizer):
        section.update(learning_rate=1e-3, b1=0.5, schedule="constant")
    if values.data == "digits":
        c.eval_metrics = "fid"
    c.update_from_flattened_dict(METHODS[method])
    return study.population(c, values, _EVALUATIONS)


def _dirac() -> tuple[list[study.Row], np.ndarray]:
    """Computes the table of the Dirac-GAN, and draws the paths that its methods take."""
    angle = 2 * np.pi * np.arange(_STARTS) / _STARTS
    starts = jnp.asarray(np.stack([np.cos(angle), np.sin(angle)], axis=1), jnp.float32)
    rows: list[study.Row] = []
    paths = {}
    for name, method in dirac.METHODS.items():
        play = functools.partial(dirac.play, method, step_size=_STEP_SIZE, steps=_STEPS)
        path = np.asarray(jax.jit(jax.vmap(play))(starts))
        paths[name] = path[:: _STARTS // 4]
        half = path[:, _STEPS // 2 :]
        row = {"method": name, "eigenvalues": "none: a kink", "at once": "", "in turn": ""}
        if not method.wgan_gp:
            at_once, in_turn = (
                dirac.spectral_radius(method, _STEP_SIZE, alternating=a) for a in (False, True)
            )
            row["eigenvalues"] = _complex(dirac.eigenvalues(method))
            row |= {"at once": f"{at_once:.5f}", "in turn": f"{in_turn:.5f}"}
        rows.append(
            row
            | {
                "distance at the end": np.linalg.norm(half[:, -1], axis=-1),
                "of the average": np.linalg.norm(half.mean(1), axis=-1),
            }
        )
    return rows, plot_paths(paths, labels=("generator", "critic"))


def _complex(values: np.ndarray) -> str:
    return ", ".join(f"{v.real + 0.0:.3g}{v.imag:+.3g}i" for v in values.round(6))


def _varying(method: str, found: Mapping[str, study.Series], data: str) -> study.Row:
    """Computes how losses and quality vary over the second half of a run, and their end."""
    row: dict[str, Any] = {"method": method}
    names = {n: f"train/{n}" for n in LOSSES} | {n: f"eval/{n}" for n in QUALITY[data]}
    for name, full in names.items():
        value = found[full].value
        row[f"{name} varies by"] = value[len(value) // 2 :].std(0)
    return row | {f"{n} at the end": found[f"eval/{n}"].value[-1] for n in QUALITY[data]}


def _telling(method: str, found: Mapping[str, study.Series], data: str) -> study.Row:
    """Computes Spearman's rank correlation of each loss with each quality over a run."""
    row: dict[str, Any] = {"method": method}
    for loss in LOSSES:
        for name in QUALITY[data]:
            quality = found[f"eval/{name}"]
            there = found[f"train/{loss}"]
            rows = np.searchsorted(there.step, quality.step)  # losses are logged there as well
            pairs = zip(there.value[rows].T, quality.value.T, strict=True)
            row[f"{loss}, {name}"] = np.array(
                [
                    spearmanr(a, b).statistic if np.ptp(a) > 0 and np.ptp(b) > 0 else np.nan
                    for a, b in pairs
                ]
            )
    return row


def _pictures(found: Mapping[str, Mapping[str, study.Series]], data: str) -> dict[str, np.ndarray]:
    """Draws losses and quality of each method's first seed, and the quality of all seeds."""
    shown = [f"train/{n}" for n in LOSSES] + [f"eval/{QUALITY[data][0]}"] * (data == "ring")

    def one(series: study.Series) -> tuple[np.ndarray, np.ndarray]:
        return series.step, series.value[:, 0]

    losses = {m: {n.partition("/")[2]: one(h[n]) for n in shown} for m, h in found.items()}
    quality = {n: {m: h[f"eval/{n}"] for m, h in found.items()} for n in QUALITY[data]}
    return {
        "losses": plot_series(losses, columns=3),
        "quality": plot_series(quality, log=["reverse_kl", "fid"]),
    }


if __name__ == "__main__":
    sys.exit(main())
