import os
import subprocess
import sys
import time
from itertools import pairwise

import pytest

from benchmarks.harness import machine
from benchmarks.harness.sides import Child, Side, SideError, interleave, spread
from tests.cli.helpers import wait_until

_SIDES = "tests.benchmarks.sides"


def _side(function, **arguments):
    return Side(function, f"{_SIDES}:{function}", arguments)


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_sides_run_in_turn_and_never_together(tmp_path):
    log = tmp_path / "log"
    with (
        Child(_side("logging_side", path=str(log), name="a")) as a,
        Child(_side("logging_side", path=str(log), name="b")) as b,
    ):
        replies = interleave([a, b], rounds=3, pause=0.0)
    runs = [line.split() for line in log.read_text().splitlines()]
    assert [name for name, *_ in runs] == ["a", "b"] * 3
    for (_, _, end), (_, start, _) in pairwise(runs):
        assert float(start) >= float(end)
    assert [reply["result"] for reply in replies[1]] == ["b"] * 3
    assert all(reply["seconds"] >= 0.01 for reply in replies[0])


def test_seconds_are_for_each_unit_and_info_reaches_the_parent(tmp_path):
    with Child(_side("logging_side", path=str(tmp_path / "log"), name="a", units=1e6)) as child:
        assert child.info == {"settings": "the side a"}
        assert 0 < child.run()["seconds"] < 0.001


def test_a_side_may_time_itself():
    with Child(_side("own_clock")) as child:
        assert child.run()["seconds"] == 12.5


def test_what_libraries_print_does_not_disturb_the_protocol():
    with Child(_side("talkative")) as child:
        assert child.run()["result"] is None


def test_the_environment_of_a_side_reaches_it():
    side = Side("env", "os:getenv", {"key": "GENJAX_TEST_SIDE"}, env={"GENJAX_TEST_SIDE": "x"})
    with pytest.raises(SideError, match="'str' object has no attribute 'info'"):
        Child(side)


@pytest.mark.parametrize(
    ("function", "message"),
    [("broken", "ValueError: no luck"), ("dying", "ended during its set-up")],
)
def test_a_side_that_cannot_be_set_up_says_why(function, message):
    with pytest.raises(SideError, match=message) as error:
        Child(_side(function))
    assert function in str(error.value)
    if function == "dying":
        assert "last words" in str(error.value)


def test_a_side_that_fails_in_a_run_says_why_and_stays_ended():
    with Child(_side("broken_later")) as child:
        child.run()
        with pytest.raises(SideError, match="StopIteration"):
            child.run()
        with pytest.raises(SideError, match="ended"):
            child.run()


def test_a_side_that_hangs_is_given_up_and_killed():
    with Child(_side("hanging")) as child:
        with pytest.raises(SideError, match="took longer than 0 s"):
            child.run(seconds=0.2)
        pid = child.pid
    assert not _alive(pid)


def test_closing_a_child_ends_its_own_children(tmp_path):
    path = tmp_path / "pid"
    with Child(_side("parent_of", path=str(path))):
        pid = int(path.read_text())
        assert _alive(pid)
    deadline = time.monotonic() + 5
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _alive(pid)


def test_spread_is_a_share_of_the_median():
    assert spread([1.0, 2.0, 4.0]) == 1.5


def test_missing_packages_are_named_without_importing_any():
    side = Side("x", "nowhere:f", packages=("numpy", "no_such_package_anywhere"))
    assert side.missing() == ["no_such_package_anywhere"]


def test_the_machine_is_described():
    described = machine.describe()
    assert described["cores"] == len(os.sched_getaffinity(0))
    assert described["cpu"] and described["versions"]["jax"]


def test_a_busy_stranger_is_named_and_own_work_is_not(tmp_path):
    with Child(_side("hanging", seconds=0.0)):
        load = machine.load(0.3)
    assert set(load) == {"load_average", "other_cores", "strays", "idle"}
    assert not any("benchmarks.harness.child" in name for name in load["strays"])
    # Its parent ends at once, so that it is nobody's child here.
    spin = "import time; end = time.time() + 20\nwhile time.time() < end: pass"
    script = f"import subprocess as s, sys; print(s.Popen([sys.executable, '-c', {spin!r}]).pid)"
    log = tmp_path / "log"
    with open(log, "w") as out:
        subprocess.run([sys.executable, "-c", script], stdout=out, check=True)
    pid = int(log.read_text())
    try:
        load = machine.load(1.0)
    finally:
        os.kill(pid, 9)
    assert any(f"({pid})" in name for name in load["strays"])
    assert load["idle"] is False


def test_the_work_of_own_processes_and_of_what_they_start_is_not_somebody_elses(monkeypatch):
    start = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    ours = subprocess.Popen([sys.executable, "-c", start])
    try:
        meter = machine.Meter()
        wait_until(lambda: len(machine._family_of(ours.pid)) == 2, ours)
        worker = machine._family_of(ours.pid)[1]
        wait_until(lambda: machine._ticks(worker) >= 10, ours)
        others = meter.other_cores()
        monkeypatch.setattr(machine, "_family_of", lambda pid: [pid])  # as if they were strangers
        assert others < meter.other_cores()
        monkeypatch.undo()
    finally:
        for pid in reversed(machine._family_of(ours.pid)):
            os.kill(pid, 9)
        ours.wait()
