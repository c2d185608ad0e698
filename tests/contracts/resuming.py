"""Runs that are killed and resumed, for the tests that compare them with uninterrupted ones."""

import signal
import subprocess
import sys
import time

from genjax.engine import loop
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.run import prepare
from genjax.engine.writers import METRICS, read_metrics
from tests.contracts import recipes
from tests.contracts.trees import assert_equal, leaves
from tests.engine.processes import ROOT


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


def trained_and_killed(workdirs, folder, names):
    """Trains the recipes in a process that is killed at the tenth step of each; into `workdirs`."""
    child = start_child("-m", "tests.contracts.training_child", workdirs, folder, *names)
    last = Checkpoints(workdirs / names[-1] / "checkpoints")
    try:
        wait_until(lambda: 8 in last.steps(), child, seconds=120 * len(names))
    finally:
        kill(child)


def final_state(run, workdir):
    step, state = Checkpoints(workdir / "checkpoints").restore(run.executor.template())
    assert step == run.total_steps
    return leaves(state)


def rows(workdir):
    """What `metrics.jsonl` says, but for the time that it took."""
    found = read_metrics(workdir / METRICS)
    return [{n: v for n, v in row.items() if n != "wall_seconds"} for row in found]


def check_resumed(name, killed, folder, workdir, caplog, chunk):
    """The killed run, gone on with in chunks, is the uninterrupted one in every bit."""

    def tiny(**changes):
        config = recipes.tiny(name, folder, log_every=5, **changes)
        return prepare(recipes.lipschitz(config))

    whole, resumed = tiny(chunk=1), tiny(chunk=chunk, checkpoint_every=7)
    loop.train(whole, workdir)
    assert max(Checkpoints(killed / name / "checkpoints").steps()) == 8
    # The killed run went step by step; this one goes on in chunks, within a log interval.
    with caplog.at_level("INFO"):
        loop.train(resumed, killed / name)
    assert "Resumed from step 8" in caplog.text
    assert_equal(final_state(resumed, killed / name), final_state(whole, workdir))
    assert rows(killed / name) == rows(workdir)
