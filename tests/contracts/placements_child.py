"""Runs recipes in placements other than one device alone, for a parent that compares the results.

`python -m tests.contracts.placements_child OUT FOLDER KIND,KIND… NAME…` writes `OUT`, a NumPy
archive: for each recipe and placement the state after five steps, metrics, evaluation, and what was
observed on the way.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np

from genjax.engine import placement
from genjax.engine.run import prepare
from tests.contracts import events, recipes
from tests.contracts.trees import leaves, of_steps

KINDS: dict[str, dict[str, Any]] = {
    "data": {"executor": "sharded", "sharding": "data"},
    "fsdp": {"executor": "sharded", "sharding": "fsdp"},
    "pmap": {"executor": "pmap"},
    "vmap": {"executor": "vmap"},
    "tensor": {"executor": "sharded", "mesh": "data:4,model:2", "sharding": "fsdp"},
}
# Of Transformer layers, which are split over `model`: plain, of shared and gated parts, crossed.
TENSOR = (
    "gpt", "gpt_modern+packed+dropout+chunk+remat+accumulate", "bert", "transformer",
    "text_classifier+transformer+ema",
)  # fmt: skip
# The members of a population: their seeds, and factors of all their learning rates.
SEEDS, FACTORS = (0, 8), (1.0, 0.5)


def has(kind: str, name: str) -> bool:
    """Says whether a recipe or variant is run in a placement; what `data` does, `fsdp` does too."""
    if kind == "tensor":
        return name in TENSOR
    return kind != "data" or name not in recipes.VARIANTS


def population(config: Any) -> dict[str, Any]:
    """Arguments of `prepare` for the population of `config`."""
    sections = recipes.optimizer_sections(config)
    rates = {
        f"{s}.learning_rate": [factor * config[s].learning_rate for factor in FACTORS]
        for s in sections
    }
    return {"seeds": SEEDS, "hyperparameters": rates}


def five_steps(config: Any) -> dict[str, Any]:
    """What five steps of `config` leave behind, in chunks of 4 and 1."""
    members = population(config) if config.executor == "vmap" else {}
    executor = prepare(config, **members).executor
    first = executor.init()
    with events.counting() as count:
        state, _ = executor.run(first, 0, 4)
        once = count.compiled
        with jax.transfer_guard("disallow"):
            state, metrics = executor.run(state, 4, 1)
        again = count.compiled - once
    local = sum(x.addressable_data(0).nbytes for x in _arrays(state))
    return {
        "state": leaves(executor.to_checkpoint(state)),
        "metrics": of_steps(metrics, 1),
        "evaluation": executor.evaluate(state),
        "observed": {
            "compiled_again": again,
            "donated": all(x.is_deleted() for x in jax.tree.leaves(first)),
            "share": local / sum(x.nbytes for x in _arrays(state)),
        },
    }


def _arrays(state: Any) -> list[jax.Array]:
    is_key = jax.dtypes.prng_key
    return [x for x in jax.tree.leaves(state) if not jax.numpy.issubdtype(x.dtype, is_key)]


if __name__ == "__main__":
    out, folder, kinds, *names = sys.argv[1:]
    # Tiny networks have tiny arrays; they are to be split all the same.
    placement._FSDP_MIN_SIZE = 32
    warnings.filterwarnings("ignore", message=".*pmap.*")
    results = {}
    for name in names:
        for kind in (kind for kind in kinds.split(",") if has(kind, name)):
            config = recipes.lipschitz(recipes.tiny(name, Path(folder), **KINDS[kind]))
            for part, tree in five_steps(config).items():
                results |= {f"{name}/{kind}/{part}/{leaf}": x for leaf, x in tree.items()}
    np.savez(out, **results)
