"""A run on one mesh goes on from a checkpoint of another, and on the same one bit for bit."""

import numpy as np
import pytest

from tests.contracts import recipes
from tests.contracts.trees import assert_close, assert_equal
from tests.engine.processes import run_python

MESHES = ("data:8", "data:2,model:4")
RESUMED = """
import sys
from pathlib import Path
import numpy as np
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.run import prepare
from tests.contracts import recipes
from tests.contracts.trees import leaves

folder, *meshes = sys.argv[1:]
folder, found = Path(folder), {}

def executor(mesh):
    changes = {"model__num_layers": 1, "model__dropout": 0.2, "mesh": mesh}
    config = recipes.tiny("gpt", folder, executor="sharded", **changes)
    return prepare(recipes.lipschitz(config)).executor

def keep(name, state):
    found.update({f"{name}/{leaf}": x for leaf, x in leaves(state).items()})

for mesh in meshes:
    whole, checkpoints = executor(mesh), Checkpoints(folder / mesh)
    state = whole.init()
    keep(f"{mesh} 0", state)
    state, _ = whole.run(state, 0, 2)
    checkpoints.save(2, state)
    checkpoints.close()
    keep(f"{mesh} 5", whole.run(state, 2, 3)[0])
for mesh in meshes:
    resumed = executor(mesh)
    for before in meshes:
        step, state = Checkpoints(folder / before).restore(resumed.template())
        keep(f"{before} {mesh}", resumed.run(state, step, 3)[0])
np.savez(folder / "found.npz", **found)
"""


@pytest.mark.slow
def test_a_run_goes_on_on_another_mesh(tmp_path):
    run_python(RESUMED, tmp_path, *MESHES, devices=8)
    found = dict(np.load(tmp_path / "found.npz"))

    def states(name):
        return {n.split("/", 1)[1]: x for n, x in found.items() if n.startswith(f"{name}/")}

    fraction = recipes.tolerance(recipes.tiny("gpt", tmp_path))
    start, expected = states(f"{MESHES[0]} 0"), states(f"{MESHES[0]} 5")
    for mesh in MESHES:
        assert_equal(states(f"{mesh} 0"), start)
        assert_equal(states(f"{mesh} {mesh}"), states(f"{mesh} 5"))
        for before in MESHES:
            assert_close(states(f"{before} {mesh}"), expected, start, fraction)
