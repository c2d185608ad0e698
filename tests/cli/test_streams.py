"""Standard streams that are closed, full or broken decide over no run."""

import errno
import io
import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from genjax.cli import program
from genjax.cli.streams import Stream, sturdy
from genjax.core.config import ConfigError
from genjax.engine.writers import read_metrics
from tests.cli.helpers import ROOT, TIMEOUT, TINY, checkpoints, finish, start, wait_until

TRAIN = (*TINY, "--config.steps=40", "--config.log_every=2", "--config.checkpoint_every=0")


def shell(script: str, *command: Any) -> subprocess.CompletedProcess:
    """`script` in bash, in which "$@" is `python -m experiments.` and the command."""
    words = [sys.executable, "-m", f"experiments.{command[0]}", *map(str, command[1:])]
    return subprocess.run(
        ["bash", "-c", script, "bash", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


class Broken(io.TextIOBase):
    """Fails from the second write on."""

    def __init__(self, error: Exception, good: int = 1) -> None:
        self.error, self.good, self.text = error, good, ""

    def write(self, text: str) -> int:
        if not self.good:
            raise self.error
        self.good -= 1
        self.text += text
        return len(text)


def test_a_program_that_trains_ends_as_it_would_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(OSError(errno.ENOSPC, "No space left on device")))
    monkeypatch.setattr(sys, "stderr", Broken(OSError(errno.EIO, "Input/output error")))
    done = []

    def body(argv: list[str]) -> int:
        for i in range(5):
            print(i, flush=True)
            print(i, file=sys.stderr, flush=True)
        done.append(i)
        return 3

    assert program.run(body, [], trains=True) == 3 and done == [4]


def test_what_cannot_be_printed_is_told_once_by_programs_that_print(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stdout", Broken(OSError(errno.ENOSPC, "No space left on device")))
    monkeypatch.setattr(sys, "stderr", stderr)

    def body(argv: list[str]) -> int:
        for i in range(5):
            print(i)
        raise AssertionError("went on for nobody")

    assert program.run(body, []) == 2
    line = "genjax: standard output cannot be written (No space left on device)\n"
    assert stderr.getvalue() == line


def test_a_reader_that_has_enough_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stdout", Broken(BrokenPipeError(errno.EPIPE, "Broken pipe")))
    monkeypatch.setattr(sys, "stderr", stderr)
    assert program.run(lambda argv: print("much\n" * 9) or 0, []) == 0
    assert stderr.getvalue() == ""


def test_a_mistake_keeps_its_status_where_nothing_can_be_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def body(argv: list[str]) -> int:
        raise ConfigError("config.steps=-1: must be at least 0")

    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", None)
    assert program.run(body, []) == 2


def test_letters_that_a_terminal_lacks_are_spelled_out() -> None:
    below = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    stream = Stream(below)
    print("0.5 ± 0.1", file=stream)
    assert below.buffer.getvalue() == b"0.5 \\xb1 0.1\n" and stream.lost is None


def test_streams_are_as_before_afterwards() -> None:
    before = sys.stdout, sys.stderr
    with sturdy(product=True):
        assert (sys.stdout, sys.stderr) != before
    assert (sys.stdout, sys.stderr) == before


@pytest.mark.parametrize(
    "script",
    [
        pytest.param('"$@" >&- 2>&- <&-', id="closed", marks=pytest.mark.slow),
        pytest.param('"$@" >/dev/full 2>/dev/full', id="full", marks=pytest.mark.slow),
        pytest.param('"$@" 2>&1 | head -n 1; exit ${PIPESTATUS[0]}', id="reader gone"),
    ],
)
def test_training_goes_on_and_saves_whatever_becomes_of_its_streams(
    script: str, tmp_path: Path
) -> None:
    workdir = tmp_path / "run"
    done = shell(script, "train", *TRAIN, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert checkpoints(workdir) == [40]
    rows = (workdir / "metrics.jsonl").read_text().splitlines()
    assert len(rows) == 21 == len(read_metrics(workdir / "metrics.jsonl"))  # nothing between them
    for path in workdir.rglob("*"):
        assert path.is_dir() or b"Look further" not in path.read_bytes(), path


_WITH_ITS_TERMINAL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGHUP, getattr(signal, sys.argv[1]))
os.execv(sys.argv[2], sys.argv[2:])
"""


def hang_up(workdir: Path, steps: int, *, ignored: bool) -> int:
    """The status of a run whose terminal goes away at its second row."""
    ours, theirs = pty.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs, "start_new_session": True}
    prefix = sys.executable, "-c", _WITH_ITS_TERMINAL, "SIG_IGN" if ignored else "SIG_DFL"
    args = [*TRAIN, f"--config.steps={steps}", f"--workdir={workdir}"]
    process = start("train", *args, prefix=prefix, **streams)
    os.close(theirs)
    os.set_blocking(ours, False)

    def rows() -> int:
        try:
            os.read(ours, 100_000)
        except BlockingIOError:
            time.sleep(0.01)
        return len(read_metrics(workdir / "metrics.jsonl")) > 1

    wait_until(rows, process)
    os.close(ours)
    return finish(process)[0]


def test_a_run_saves_and_stops_when_its_terminal_hangs_up(tmp_path: Path) -> None:
    assert hang_up(tmp_path / "run", 1_000_000, ignored=False) == 143
    (step,) = checkpoints(tmp_path / "run")
    assert 2 < step < 1_000_000


@pytest.mark.slow
def test_under_nohup_it_goes_on_to_its_end(tmp_path: Path) -> None:
    assert hang_up(tmp_path / "run", 2000, ignored=True) == 0
    assert checkpoints(tmp_path / "run") == [2000]


@pytest.mark.slow
def test_evaluate_is_quiet_for_a_reader_of_one_line_and_says_what_is_full(trained: Path) -> None:
    args = ("evaluate", f"--workdir={trained}")
    # The second copy finds its output full.
    script = '"$@" | head -n 1; echo "${PIPESTATUS[0]}"; "$@" >/dev/full; echo "$?"'
    done = shell(script, *args)
    title, *statuses = done.stdout.splitlines()
    assert title.startswith("autoencoder on digits") and statuses == ["0", "2"]
    full = "genjax: standard output cannot be written (No space left on device)\n"
    assert done.stderr == full


@pytest.mark.parametrize("script", ['"$@" --help | head -n 1', '"$@" --help >&-'])
def test_help_ends_quietly_too(script: str) -> None:
    done = shell(f"{script}; true", "train")
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
