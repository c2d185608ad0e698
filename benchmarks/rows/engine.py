"""Rows of the engine: a population as one program, and how long programs take to start."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from benchmarks.harness import starting, training
from benchmarks.harness.child import Timed
from benchmarks.harness.row import Row, ours
from benchmarks.harness.sides import ROOT, Side
from benchmarks.rows.gan import wgan_gp
from genjax import data
from genjax.data.source import Dataset

_STEPS, _MEMBERS = 100, 32
_RING: dict[str, Any] = {
    "members": _MEMBERS,
    "steps": _STEPS,
    "hidden": [64, 64, 64],
    "batch_size": 64,
}


def rows() -> list[Row]:
    """Makes the rows `population`, `population_program` and `warm_start_*`."""

    def program(label: str, runs: int, **fields: Any) -> Side:
        arguments = {
            "recipe": "configs/wgan_gp_mixture.py:ring",
            "fields": {"steps": 10 * _STEPS, **fields},
            "runs": runs,
        }
        return ours(starting.program, arguments, label)

    return [
        Row(
            "population",
            "genjax, single runs in sequence",
            f"run of {_STEPS} steps on the ring, programs started and compiled",
            ours(population, _RING, "vmap"),
            (ours(singles, _RING, "singles"),),
            rounds=5,
            settings=_RING,
        ),
        Row(
            "population_program",
            "genjax, single programs in sequence",
            f"run of {10 * _STEPS} steps on the ring, from start to end of the program",
            program("one program", _MEMBERS, executor="vmap", num_seeds=_MEMBERS),
            (program("a program each", 1, executor="scan", num_seeds=1),),
            rounds=5,
            settings=_RING,
        ),
        *_warm_starts(),
    ]


def _warm_starts() -> list[Row]:
    data = Path(os.environ.get("GENJAX_TEST_DATA") or ROOT.parent / "shared" / "data") / "tfds"
    digits = {"recipe": "configs/wgan_gp.py"}
    fashion = {"recipe": "configs/gan_fashion.py", "data_dir": str(data)}
    return [
        Row(
            f"warm_start_{name}",
            "PyTorch",
            "process start to first step done",
            ours(starting.ours, arguments, "train"),
            (
                Side(
                    "script",
                    "benchmarks.harness.starting:torch_script",
                    {"recipe": arguments["recipe"], "num_examples": n, "height": height},
                    ("torch",),
                ),
            ),
            rounds=5,
            settings=arguments,
            needs=needs,
        )
        for name, arguments, n, height, needs in (
            ("digits", digits, 1797, 8, ""),
            ("fashion_mnist", fashion, 60_000, 28, str(data / "fashion_mnist")),
        )
    ]


def population(members: int, steps: int, *, hidden: Sequence[int], batch_size: int) -> Timed:
    """Sets up our side of `population`: `members` ring WGAN-GPs vmapped, `steps` updates a run."""
    return training.timed(*_ring(hidden, batch_size, "vmap", members), steps, members)


def singles(members: int, steps: int, *, hidden: Sequence[int], batch_size: int) -> Timed:
    """Sets up its other side: the same runs one after another, compiled once, scanned."""
    executor = training.executor(*_ring(hidden, batch_size, "scan", 1))
    init = jax.jit(lambda seed: executor.family.init(jax.random.key(seed)))
    states, made = [init(seed) for seed in range(members)], 0

    def run() -> None:
        nonlocal made
        for i, state in enumerate(states):
            states[i] = training.advance(executor, state, made, steps)
            jax.block_until_ready(states[i])
        made += steps

    run()
    return Timed(run, units=members, info=training.described(executor))


def _ring(
    hidden: Sequence[int], batch_size: int, kind: str, members: int
) -> tuple[ConfigDict, Dataset]:
    config = wgan_gp(batch_size, n_critic=5, penalty_weight=0.1)
    config.model.update(
        network="mlp",
        latent_dim=2,
        generator_hidden=tuple(hidden),
        critic_hidden=tuple(hidden),
        generator_activation="relu",
        critic_activation="relu",
        generator_norm="none",
        critic_norm="none",
    )
    config.update(executor=kind, num_seeds=members)
    config.data.name = "ring"
    return config, data.load(config.data)
