"""Runs recipes on all (simulated) devices of this process, in every placement.

`python -m tests.contracts.devices_child OUT FOLDER NAME…` writes `OUT`, a NumPy archive: for each
recipe and placement the state after five steps, metrics, evaluation, and what was observed on the
way.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np

from genjax.engine import placement
from genjax.engine.loop import prepare
from tests.contracts import events, recipes
from tests.contracts.trees import leaves

PLACEMENTS = {
    "data": {"executor": "sharded", "sharding": "data"},
    "fsdp": {"executor": "sharded", "sharding": "fsdp"},
    "pmap": {"executor": "pmap"},
}


def five_steps(config: Any) -> dict[str, Any]:
    """What five steps of `config` leave behind, in chunks of 4 and 1."""
    executor = prepare(config).executor
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
        "metrics": leaves(metrics),
        "evaluation": executor.evaluate(state),
        "observed": {
            "compiled_again": again,
            "donated": all(x.is_deleted() for x in jax.tree.leaves(first)),
            "share": local / sum(x.nbytes for x in _arrays(state)),
        },
    }


def _arrays(state: Any) -> list[jax.Array]:
    return [
        x for x in jax.tree.leaves(state) if not jax.numpy.issubdtype(x.dtype, jax.dtypes.prng_key)
    ]


if __name__ == "__main__":
    out, folder, *names = sys.argv[1:]
    # Tiny networks have tiny arrays; they are to be split all the same.
    placement._FSDP_MIN_SIZE = 32
    warnings.filterwarnings("ignore", message=".*pmap.*")
    results = {}
    for name in names:
        for kind, changes in PLACEMENTS.items():
            config = recipes.lipschitz(recipes.tiny(name, Path(folder), **changes))
            for part, tree in five_steps(config).items():
                results |= {f"{name}/{kind}/{part}/{leaf}": x for leaf, x in tree.items()}
    np.savez(out, **results)
