"""Contracts 2 and 3: members of a population equal single runs, many devices equal one.

The devices are simulated, 8 in one process; another has the populations, at the same time.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

from genjax.engine.run import prepare
from tests.contracts import recipes
from tests.contracts.placements_child import FACTORS, SEEDS, has
from tests.contracts.trees import assert_close, leaves, member, of_steps
from tests.engine.processes import ROOT

DEVICES = ("data", "fsdp", "pmap", "tensor")
# Compiling is what takes the time: one recipe of each family, and the variants, which hold what
# placements can get wrong.
NAMES = [*sorted(recipes.first()), *recipes.VARIANTS]
RESIDENT = [name for name in NAMES if "streamed" not in name]
pytestmark = pytest.mark.slow  # minutes of compiling; some recipes are `long` as well
# What they add to others does not depend on where rows lie.
BY_NAME = (
    *recipes.TEXTS, "r3gan+r3gan+auxiliary", "autoencoder+groups+unfreeze+decay+clip+ema",
    "classifier+run+accumulate+ema", "classifier+taught+accumulate",
    "face_vae+conditional+discretized_logistic", "multitask+uncertainty+conv+overlays",
    "continual+task+ewc+ema",
)  # fmt: skip
CASES = recipes.marked(NAMES, by_name=BY_NAME)
PLACED = [
    pytest.param(*case.values, kind, marks=case.marks)
    for case in CASES
    for kind in DEVICES
    if has(kind, case.values[0])
]


@pytest.fixture(scope="module")
def found(tmp_path_factory, folder, request):
    """What the children found: by number of devices, 0 of a population, and name/kind/part/leaf."""
    out = tmp_path_factory.mktemp("placements")
    names = recipes.selected(request)
    for name in (n for n in names if "streamed" in n or "taught" in n or "augmented" in n):
        recipes.tiny(name, folder)  # its pictures, its teacher, its writer, before two make them
    children = {
        0: _start(out / "0.npz", folder, 1, ["vmap"], [n for n in names if n in RESIDENT]),
        8: _start(out / "8.npz", folder, 8, DEVICES, [n for n in names if n in NAMES]),
    }
    try:
        _wait(children.values())
    finally:
        for child in children.values():
            child.kill()
    return {n: dict(np.load(out / f"{n}.npz")) for n in children}


def _start(out, folder, devices, kinds, names):
    env = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices)}
    command = [sys.executable, "-m", "tests.contracts.placements_child"]
    return subprocess.Popen(
        [*command, str(out), str(folder), ",".join(kinds), *names],
        cwd=ROOT,
        env=env,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _wait(children):
    for child in children:
        _, error = child.communicate(timeout=900)
        assert child.returncode == 0, error[-4000:]


def part(found, devices, name, kind, what):
    prefix = f"{name}/{kind}/{what}/"
    return {n[len(prefix) :]: x for n, x in found[devices].items() if n.startswith(prefix)}


def five_steps(executor):
    """Start, state, metrics and evaluation of the same five steps on one device."""
    state = executor.init()
    start = leaves(state)
    state, _ = executor.run(state, 0, 4)
    state, metrics = executor.run(state, 4, 1)
    return start, leaves(state), of_steps(metrics, 1), executor.evaluate(state)


@pytest.fixture(scope="module")
def one(scanned):
    """`five_steps` of a recipe under `scan`, made once."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = five_steps(scanned(name).executor)
        return made[name]

    return of


def assert_means_close(actual, expected, fraction):
    assert actual.keys() == expected.keys()
    for metric in expected:
        np.testing.assert_allclose(
            actual[metric], expected[metric], rtol=10 * fraction, atol=fraction
        )


@pytest.mark.parametrize("name", recipes.marked(RESIDENT, by_name=BY_NAME))
def test_members_of_a_population_equal_single_runs(name, found, one, scanned, folder):
    fraction = recipes.tolerance(scanned(name).config)
    for i, (seed, factor) in enumerate(zip(SEEDS, FACTORS, strict=True)):
        # A population cuts no batch, and the noise of a batch that is cut is another.
        uncut = {"buckets": ()} if scanned(name).config.get("buckets") else {}
        if (seed, factor) == (0, 1.0) and not uncut:  # seed and rates of the recipe itself
            start, state, metrics, evaluation = one(name)
        else:
            config = recipes.tiny(name, folder, seed=seed, **uncut)
            for section in recipes.optimizer_sections(config):
                config[section].learning_rate *= factor
            start, state, metrics, evaluation = five_steps(
                prepare(recipes.lipschitz(config)).executor
            )
        assert_close(member(part(found, 0, name, "vmap", "state"), i), state, start, fraction)
        for what, expected in (("metrics", metrics), ("evaluation", evaluation)):
            values = {n: x[i] for n, x in part(found, 0, name, "vmap", what).items()}
            assert_means_close(values, expected, fraction)


@pytest.mark.parametrize(("name", "kind"), PLACED)
def test_devices_make_the_same_steps_as_one(name, kind, found, one, scanned):
    start, state, metrics, evaluation = one(name)
    fraction = recipes.tolerance(scanned(name).config)
    assert_close(part(found, 8, name, kind, "state"), state, start, fraction)
    assert_means_close(part(found, 8, name, kind, "metrics"), metrics, fraction)
    assert_means_close(part(found, 8, name, kind, "evaluation"), evaluation, fraction)


@pytest.mark.parametrize("name", CASES)
def test_fsdp_splits_the_state(name, found):
    share = part(found, 8, name, "fsdp", "observed")["share"]
    assert share < 1.7 / 8, f"a device holds {share:.0%} of the state"
    if has("data", name):
        assert part(found, 8, name, "data", "observed")["share"] == 1


@pytest.mark.parametrize(("name", "kind"), PLACED)
def test_devices_compile_once_and_reuse_the_buffers(name, kind, found):
    observed = part(found, 8, name, kind, "observed")
    assert observed["compiled_again"] == 0
    assert observed["donated"]


@pytest.mark.parametrize("name", recipes.marked(RESIDENT, by_name=BY_NAME))
def test_a_population_compiles_once_and_reuses_the_buffers(name, found):
    observed = part(found, 0, name, "vmap", "observed")
    assert observed["compiled_again"] == 0
    assert observed["donated"]
