"""Trains recipes under `elastic=8` on so many devices as there are, for a parent that compares.

`python -m tests.contracts.elastic_child OUT FOLDER NAME…` goes on from the checkpoint of each
recipe in FOLDER, or begins and writes one at step 2; OUT, a NumPy archive, has the states at step
5 by name/leaf.
"""

import sys
import warnings
from pathlib import Path

import numpy as np

from genjax.engine.checkpoints import Checkpoints
from genjax.engine.run import prepare
from tests.contracts import recipes
from tests.contracts.trees import leaves

CHANGES = {"executor": "sharded", "elastic": 8}


def main() -> None:
    out, folder, *names = sys.argv[1:]
    found: dict[str, np.ndarray] = {}
    for name in names:
        executor = prepare(recipes.tiny(name, Path(folder), **CHANGES)).executor
        checkpoints = Checkpoints(Path(folder) / f"elastic_{name}")
        kept = checkpoints.restore(executor.template())
        if kept is None:
            state, _ = executor.run(executor.init(), 0, 2)
            checkpoints.save(2, state)
        else:
            assert kept[0] == 2
            state = kept[1]
        state, _ = executor.run(state, 2, 3)
        checkpoints.close()
        found |= {f"{name}/{leaf}": x for leaf, x in leaves(state).items()}
    np.savez(out, **found)  # type: ignore[arg-type]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
