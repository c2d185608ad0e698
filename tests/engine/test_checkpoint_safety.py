"""What checkpoints survive: damage to any file, kills at any moment, full and read-only disks."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from genjax.engine.checkpoints import Checkpoints, SaveError
from tests.engine.processes import ROOT
from tests.engine.saving_child import state_at, template
from tests.engine.states import bits, flip, restored_step, shapes_of, two_saved

# What is not trusted


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize("damage", [flip, cut, zero, Path.unlink])
def test_damage_to_any_file_is_noticed_and_the_older_checkpoint_taken(tmp_path, caplog, damage):
    two_saved(tmp_path)
    whole = shutil.copytree(tmp_path / "20", tmp_path / "whole")
    files = [p.relative_to(whole) for p in whole.rglob("*") if p.is_file()]
    assert len(files) >= 8
    for file in files:
        damage(tmp_path / "20" / file)
        caplog.clear()
        assert restored_step(tmp_path) == 10, file
        (warning,) = (r.getMessage() for r in caplog.records if r.levelname == "WARNING")
        assert str(tmp_path / "20") in warning
        assert file.name in warning
        shutil.rmtree(tmp_path / "20")
        shutil.copytree(whole, tmp_path / "20")
    assert restored_step(tmp_path) == 20


def test_a_folder_without_manifest_is_not_a_checkpoint(tmp_path):
    two_saved(tmp_path)
    (tmp_path / "20" / "genjax_manifest.json").unlink()
    assert Checkpoints(tmp_path).steps() == [10]
    assert restored_step(tmp_path) == 10
    (tmp_path / "30").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "40").write_text("a file")
    assert restored_step(tmp_path) == 10


# Kills


def start_saving(directory):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.engine.saving_child", str(directory)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def finished_steps(child):
    """Kills the child for good; the last step it said was complete."""
    child.send_signal(signal.SIGKILL)
    lines = child.communicate(timeout=60)[0].split()
    return int(lines[-1]) if lines else 0


def at_temporary_folder(directory):
    spin_until(lambda: list(directory.glob("*.orbax-checkpoint-tmp*")))


def at_commit(directory):
    def newest():
        return max((int(p.name) for p in directory.iterdir() if p.name.isdecimal()), default=0)

    before = newest()
    spin_until(lambda: newest() > before)


def spin_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the child does not get there"


def at_random(directory):
    time.sleep(random.uniform(0.0, 0.3))


def check_after_kill(directory, said):
    found = Checkpoints(directory).restore(template())
    assert found is not None
    step, state = found
    assert said <= step <= said + 1
    assert bits(state) == bits(jax.jit(state_at)(step))
    return step


@pytest.mark.parametrize(
    "moment",
    [
        at_commit,
        pytest.param(at_temporary_folder, marks=pytest.mark.slow),
        pytest.param(at_random, marks=pytest.mark.slow),
    ],
)
def test_a_kill_in_the_middle_of_a_save_leaves_a_whole_state(tmp_path, moment):
    kill_and_check(tmp_path, moment, times=2)


@pytest.mark.slow
def test_many_kills_in_a_row_never_lose_a_complete_state(tmp_path):
    kill_and_check(tmp_path, at_random, times=10)


def kill_and_check(directory, moment, times):
    reached = 0
    for _ in range(times):
        child = start_saving(directory)
        try:
            assert child.stdout is not None
            first = int(child.stdout.readline())  # it saves without a pause from here on
            moment(directory)
        finally:
            said = finished_steps(child)
        assert first == reached + 1  # it resumed where the last one had got to
        reached = check_after_kill(directory, max(said, first))


# Disks


def test_a_full_disk_is_one_clear_error_and_loses_nothing(small_disk):
    small = {"x": jnp.arange(100)}
    large = {"x": jax.random.normal(jax.random.key(0), (1000, 1000))}
    checkpoints = Checkpoints(small_disk / "checkpoints")
    checkpoints.save(1, small, wait=True)
    with pytest.raises(SaveError, match=f"cannot save checkpoint {small_disk}") as e:
        checkpoints.save(2, large, wait=True)
    assert "\n" not in str(e.value)
    assert checkpoints.steps() == [1]
    assert [p.name for p in (small_disk / "checkpoints").iterdir()] == ["1"]
    checkpoints.save(3, small, wait=True)  # there is room again
    checkpoints.close()
    step, state = Checkpoints(small_disk / "checkpoints").restore(shapes_of(small))
    assert step == 3
    assert bits(state) == bits(small)


def test_a_save_in_the_background_tells_its_error_at_the_next_call(small_disk):
    large = {"x": jax.random.normal(jax.random.key(0), (1000, 1000))}
    checkpoints = Checkpoints(small_disk)
    checkpoints.save(1, large)
    with pytest.raises(SaveError, match="1"):
        checkpoints.close()
    checkpoints.close()  # told once


def test_a_read_only_disk_is_one_clear_error(small_disk, make_read_only):
    state = {"x": jnp.arange(100)}
    checkpoints = Checkpoints(small_disk)
    checkpoints.save(1, state, wait=True)
    threads = _threads_that_hold_the_process()
    make_read_only()
    with pytest.raises(SaveError, match=f"{small_disk}.*[Rr]ead-only"):
        checkpoints.save(2, state, wait=True)
    assert Checkpoints(small_disk).restore(shapes_of(state))[0] == 1
    with pytest.raises(SaveError, match=r"[Rr]ead-only"):
        Checkpoints(small_disk / "new").save(1, state, wait=True)
    assert not _threads_that_hold_the_process() - threads


def _threads_that_hold_the_process() -> set[threading.Thread]:
    """Those that Python joins before it ends."""
    return {t for t in threading.enumerate() if not t.daemon}
