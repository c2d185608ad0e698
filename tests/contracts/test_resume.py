"""Contract 4: a run that is killed and resumed equals the uninterrupted one, bit for bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genjax.engine import loop
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.run import prepare
from genjax.engine.writers import METRICS, read_metrics
from tests.contracts import recipes
from tests.contracts.trees import assert_equal, leaves

pytestmark = pytest.mark.slow  # minutes of compiling in children; some recipes are `long` as well
ROOT = Path(__file__).parents[2]


def start_child(*args):
    command = [sys.executable, *map(str, args)]
    return subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def kill(child):
    child.send_signal(signal.SIGKILL)
    error = child.communicate(timeout=60)[1]
    assert child.returncode == -signal.SIGKILL, f"it ended before it was killed:\n{error[-4000:]}"


def wait_until(condition, child, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert child.poll() is None, child.communicate()[1][-4000:]
        assert time.monotonic() < end, "the child does not get there"
        time.sleep(0.002)


@pytest.fixture(scope="module")
def killed(tmp_path_factory, folder, request):
    """The workdirs of a process that trained the recipes and was killed at its tenth step."""
    workdirs = tmp_path_factory.mktemp("killed")
    names = recipes.selected(request)
    child = start_child("-m", "tests.contracts.training_child", workdirs, folder, *names)
    try:
        last = Checkpoints(workdirs / names[-1] / "checkpoints")
        wait_until(lambda: 8 in last.steps(), child)
    finally:
        kill(child)
    return workdirs


def final_state(run, workdir):
    step, state = Checkpoints(workdir / "checkpoints").restore(run.executor.template())
    assert step == run.total_steps
    return leaves(state)


def rows(workdir):
    """What `metrics.jsonl` says, but for the time that it took."""
    found = read_metrics(workdir / METRICS)
    return [{n: v for n, v in row.items() if n != "wall_seconds"} for row in found]


def test_killed_and_resumed_run_equals_uninterrupted(name, killed, folder, tmp_path, caplog):
    def tiny(**changes):
        config = recipes.tiny(name, folder, log_every=5, **changes)
        return prepare(recipes.lipschitz(config))

    whole, resumed = tiny(chunk=1), tiny(chunk=4, checkpoint_every=7)
    loop.train(whole, tmp_path)
    assert max(Checkpoints(killed / name / "checkpoints").steps()) == 8
    # The killed run went step by step; this one goes on in chunks of four, within a log interval.
    with caplog.at_level("INFO"):
        loop.train(resumed, killed / name)
    assert "Resumed from step 8" in caplog.text
    assert_equal(final_state(resumed, killed / name), final_state(whole, tmp_path))
    assert rows(killed / name) == rows(tmp_path)


def test_killed_while_a_checkpoint_is_written(folder, tmp_path):
    """Again and again, each time as soon as the next checkpoint's files appear."""
    changes = {"steps": 60, "chunk": 4, "log_every": 20, "model__encoder_hidden": (512,)}
    whole = prepare(recipes.tiny("autoencoder", folder, **changes))
    loop.train(whole, tmp_path / "whole")
    workdir = tmp_path / "killed"
    checkpoints = workdir / "checkpoints"
    code = (
        "from pathlib import Path; from genjax.engine import loop, run;"
        "from tests.contracts import recipes;"
        f"c = recipes.tiny('autoencoder', Path({str(folder)!r}), checkpoint_every=2, **{changes});"
        f"loop.train(run.prepare(c), {str(workdir)!r})"
    )
    torn = 0
    for _ in range(4):
        before = set(os.listdir(checkpoints)) if checkpoints.exists() else set()
        child = start_child("-c", code)
        try:
            wait_until(
                lambda before=before: (
                    checkpoints.exists()
                    and any("tmp" in p for p in set(os.listdir(checkpoints)) - before)
                ),
                child,
            )
        finally:
            kill(child)
        present = [p for p in os.listdir(checkpoints) if not p.endswith(".trash")]
        torn += len(present) > len(Checkpoints(checkpoints).steps())
    assert torn, "no kill met a checkpoint that was being written"
    resumed = prepare(recipes.tiny("autoencoder", folder, **changes))
    loop.train(resumed, workdir)
    assert_equal(final_state(resumed, workdir), final_state(whole, tmp_path / "whole"))
