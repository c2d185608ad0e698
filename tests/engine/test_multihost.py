"""Several processes as one run: two real ones of four simulated devices each, on loopback."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from genjax.engine.best import best
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.run import prepare
from genjax.engine.writers import read_metrics
from tests.contracts import recipes
from tests.contracts.trees import assert_close, leaves
from tests.engine.processes import ROOT, finish, run_python, start_python

pytestmark = pytest.mark.slow  # two processes and their compilation

# Chunks of 4; the second entry of a pair resumes what the first one left.
PARTS = {
    "sharding": "fsdp", "accumulate_steps": 2, "model__dropout": 0.3, "eval_every": 4,
    "best_metric": "mse",
}  # fmt: skip
CASES = {
    "wgan_gp+batch_norm": [{"sharding": "data", "checkpoint_every": 8}],
    "autoencoder": [PARTS | {"steps": 11}, PARTS],
    "autoencoder+streamed+bfloat16": [
        {"steps": 11, "precision": "float32"},
        {"precision": "float32"},
    ],
}

TRAIN = """
import json, sys, warnings
from pathlib import Path
import jax
from genjax.engine import loop, placement
from genjax.engine.run import prepare
from tests.contracts import recipes

placement._FSDP_MIN_SIZE = 32  # tiny arrays are to be split all the same
workdirs, folder, cases = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
assert len(jax.devices()) == 8
for name, runs in cases.items():
    for changes in runs:
        config = recipes.tiny(name, folder, executor="sharded", **changes)
        run = prepare(recipes.lipschitz(config))
        rows = run.executor._local_rows()
        share = 16 // jax.process_count()
        assert rows.start == jax.process_index() * share and rows.stop == rows.start + share
        summary = loop.train(run, workdirs / name)
        assert summary.step == run.total_steps, summary
print("trained")
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Workdirs of all cases, by number of processes: two of 4 devices, and one of 8."""
    folder = tmp_path_factory.mktemp("data")
    recipes.tiny("autoencoder+streamed+bfloat16", folder)  # its pictures, before several draw them
    workdirs = {n: tmp_path_factory.mktemp(f"processes{n}") for n in (1, 2)}
    children = [
        start_python(TRAIN, workdir, folder, json.dumps(CASES), devices=8 // n, processes=n)
        for n, workdir in workdirs.items()
    ]
    finish([child for group in children for child in group], timeout=500)
    return folder, workdirs


def final_state(name, folder, workdir):
    """The last checkpoint, read on this one device."""
    run = prepare(recipes.lipschitz(recipes.tiny(name, folder)))
    step, state = Checkpoints(workdir / name / "checkpoints").restore(run.executor.template())
    assert step == run.total_steps == 20
    return leaves(state), leaves(run.executor.init())


@pytest.mark.parametrize("name", CASES)
def test_two_processes_equal_one(name, trained):
    folder, workdirs = trained
    one, start = final_state(name, folder, workdirs[1])
    two, _ = final_state(name, folder, workdirs[2])
    # Twenty steps instead of five: rounding has longer to grow.
    assert_close(two, one, start, fraction=1e-2)


@pytest.mark.parametrize("name", CASES)
def test_process_0_alone_writes_and_writes_the_same(name, trained):
    _, workdirs = trained
    one, two = (read_metrics(workdirs[n] / name / "metrics.jsonl") for n in (1, 2))
    assert [row["step"] for row in two] == [row["step"] for row in one]
    for a, b in zip(two, one, strict=True):
        assert a.keys() == b.keys()
        for metric in a.keys() - {"wall_seconds"}:
            np.testing.assert_allclose(a[metric], b[metric], rtol=1e-3, atol=1e-4)


def test_two_processes_keep_the_same_best_state(trained):
    _, workdirs = trained
    one, two = (best(workdirs[n] / "autoencoder", "mse", "min") for n in (1, 2))
    assert two.step == one.step and two.value == pytest.approx(one.value, rel=1e-3)


COMMAND = [sys.executable, "-m", "experiments.train", "--config=configs/autoencoder.py"]
FIELDS = {
    "executor": "sharded", "steps": 200, "epochs": 0.0, "chunk": 10, "log_every": 20,
    "checkpoint_every": 150, "batch_size": 16, "model.encoder_hidden": (16,),
    "model.decoder_hidden": (16,), "num_samples": 4,
}  # fmt: skip


def start_pair(workdir, port):
    """The command line in two processes, as a user of two machines types it."""
    fields = [f"--config.{name}={value}" for name, value in FIELDS.items()]
    pair = []
    for i in range(2):
        joined = [
            "--num_processes=2",
            f"--coordinator_address=127.0.0.1:{port}",
            f"--process_id={i}",
        ]
        pair.append(
            subprocess.Popen(
                [*COMMAND, *fields, f"--workdir={workdir}", *joined],
                cwd=ROOT,
                env=os.environ | {"JAX_NUM_CPU_DEVICES": "4"},
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
    return pair


def free_port():
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for_step(workdir, step, children, seconds=120):
    end = time.monotonic() + seconds
    while not any(r["step"] >= step for r in read_metrics(workdir / "metrics.jsonl")):
        assert all(c.poll() is None for c in children), children[0].communicate()[1][-4000:]
        assert time.monotonic() < end, "the processes do not train"
        time.sleep(0.01)


def test_sigterm_to_one_process_stops_both_and_they_resume_bit_for_bit(tmp_path):
    finish(start_pair(tmp_path / "whole", free_port()), timeout=200)
    stopped = start_pair(tmp_path / "stopped", free_port())
    try:
        wait_for_step(tmp_path / "stopped", 40, stopped)
        stopped[1].send_signal(signal.SIGTERM)
        errors = [child.communicate(timeout=100)[1] for child in stopped]
    finally:
        for child in stopped:
            child.kill()
    assert [child.returncode for child in stopped] == [143, 143], errors
    assert "stopped by SIGTERM" in errors[0] and "resume with" in errors[0]
    checkpoints = Checkpoints(tmp_path / "stopped" / "checkpoints")
    [step] = checkpoints.steps()
    assert 40 <= step < FIELDS["steps"] and step % FIELDS["chunk"] == 0
    finish(start_pair(tmp_path / "stopped", free_port()), timeout=200)
    code = """
    import sys, jax
    from genjax.engine.checkpoints import Checkpoints
    from genjax.engine.run import prepare
    from genjax.engine.workdir import read_config
    from tests.contracts.trees import assert_equal, leaves
    states = []
    for workdir in sys.argv[1:]:
        run = prepare(read_config(workdir))
        step, state = Checkpoints(workdir + "/checkpoints").restore(run.executor.template())
        assert step == run.total_steps == 200
        states.append(leaves(state))
    assert_equal(*states)
    """
    run_python(code, tmp_path / "whole", tmp_path / "stopped", devices=8)


@pytest.mark.parametrize("killed", [1, 0])
def test_a_process_that_is_killed_ends_the_other_in_one_line(killed, tmp_path, monkeypatch):
    """Process 0 is the coordinator, without which jax aborts the others at once."""
    monkeypatch.setitem(FIELDS, "steps", 1_000_000)
    monkeypatch.setitem(FIELDS, "checkpoint_every", 100)
    pair = start_pair(tmp_path / "run", free_port())
    try:
        wait_for_step(tmp_path / "run", 200, pair)
        pair[killed].kill()
        _, errors = pair[1 - killed].communicate(timeout=60)
    finally:
        for child in pair:
            child.kill()
    assert pair[1 - killed].returncode == 143, errors
    (line,) = [x for x in errors.splitlines() if "is gone" in x]
    assert line.startswith(f"genjax: process {killed} of 2 is gone (its connection closed); the ")
    newest = Checkpoints(tmp_path / "run" / "checkpoints").steps()[-1]
    assert f"checkpoints/{newest}" in line
    assert errors.splitlines()[-2] == line and "  python -m experiments.train" in errors
    for noise in ("Traceback", "*** Check failure", "coordination", "terminate called"):
        assert noise not in errors, errors
