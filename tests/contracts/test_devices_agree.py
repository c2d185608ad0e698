"""Contract 3: one device equals 2 and 8, whatever the placement, on the same global batch.

The devices are simulated, in one process for each number of them; both run at the same time.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.contracts import recipes
from tests.contracts.devices_child import PLACEMENTS
from tests.contracts.trees import assert_close, leaves

ROOT = Path(__file__).parents[2]
DEVICES = (2, 8)


@pytest.fixture(scope="module")
def many(tmp_path_factory, folder):
    """By number of devices: what `devices_child` found, by `name/placement/part/leaf`."""
    recipes.tiny("autoencoder+streamed", folder)  # its pictures, before two children write them
    out = tmp_path_factory.mktemp("devices")
    children = {n: _start(n, out / f"{n}.npz", folder) for n in DEVICES}
    try:
        for child in children.values():
            _, error = child.communicate(timeout=900)
            assert child.returncode == 0, error[-4000:]
    finally:
        for child in children.values():
            child.kill()
    return {n: dict(np.load(out / f"{n}.npz")) for n in DEVICES}


def _start(devices, out, folder):
    # Optimised code is not the subject here, and half of the time goes into it.
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_backend_optimization_level=0"
    env = os.environ | {"JAX_NUM_CPU_DEVICES": str(devices), "XLA_FLAGS": flags}
    command = [sys.executable, "-m", "tests.contracts.devices_child", str(out), str(folder)]
    return subprocess.Popen(
        [*command, *_names(devices)], cwd=ROOT, env=env, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def _names(devices):
    """All on 8 devices; on 2 the recipes alone, since compiling is what takes the time."""
    return recipes.names() if devices == 8 else recipes.recipes()


CASES = [(devices, name) for devices in DEVICES for name in _names(devices)]


@pytest.fixture(scope="module")
def one(scanned):
    """The same on one device, scanned."""
    found = {}

    def five_steps(name):
        if name not in found:
            executor = scanned(name).executor
            state = executor.init()
            start = leaves(state)
            state, _ = executor.run(state, 0, 4)
            state, metrics = executor.run(state, 4, 1)
            found[name] = start, leaves(state), leaves(metrics), executor.evaluate(state)
        return found[name]

    return five_steps


def part(many, devices, name, kind, what):
    prefix = f"{name}/{kind}/{what}/"
    found = many[devices]
    return {leaf[len(prefix) :]: x for leaf, x in found.items() if leaf.startswith(prefix)}


@pytest.mark.parametrize("kind", PLACEMENTS)
@pytest.mark.parametrize(("devices", "name"), CASES)
def test_devices_make_the_same_steps_as_one(name, devices, kind, many, one, scanned):
    start, state, metrics, evaluation = one(name)
    fraction = recipes.tolerance(scanned(name).config)
    assert_close(part(many, devices, name, kind, "state"), state, start, fraction)
    for what, expected in (("metrics", metrics), ("evaluation", evaluation)):
        actual = part(many, devices, name, kind, what)
        assert actual.keys() == expected.keys()
        for metric in expected:
            np.testing.assert_allclose(
                actual[metric], expected[metric], rtol=10 * fraction, atol=fraction
            )


@pytest.mark.parametrize(("devices", "name"), CASES)
def test_fsdp_splits_the_state(name, devices, many):
    share = part(many, devices, name, "fsdp", "observed")["share"]
    assert share < 1.7 / devices, f"a device holds {share:.0%} of the state"
    assert part(many, devices, name, "data", "observed")["share"] == 1


@pytest.mark.parametrize("kind", PLACEMENTS)
@pytest.mark.parametrize(("devices", "name"), CASES)
def test_devices_compile_once_and_reuse_the_buffers(name, devices, kind, many):
    observed = part(many, devices, name, kind, "observed")
    assert observed["compiled_again"] == 0
    assert observed["donated"]
