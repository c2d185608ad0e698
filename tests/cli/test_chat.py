"""`genjax chat`: through pipes, and on a terminal."""

import contextlib
import io
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import genjax
from tests.cli.helpers import TIMEOUT, main, out_of, start

# Runs its arguments in a session whose terminal is their standard input, and where Ctrl-C counts
# even if the tests run in the background of a shell, which ignores it.
_ON_ITS_TERMINAL = (
    "import fcntl, os, signal, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)


def chat(
    text: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, *args: Any
) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return out_of(capfd, "chat", *args)


def test_the_last_turns_are_the_context_as_in_training(
    dialogue: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    out = chat("w1 w2\n\nw3\nw4\n", monkeypatch, capfd, f"--workdir={dialogue}")
    answers = out.split("\n")[:-1]  # an empty line asks nothing
    model = genjax.load(dialogue)
    first = model.generate(["user: w1 w2"])[0]
    second = model.generate([f"user: w1 w2 system: {first} user: w3"])[0]
    third = model.generate([f"user: w3 system: {second} user: w4"])[0]  # three turns
    assert answers == [first, second, third]
    alone = chat(
        "w1 w2\nw3\n", monkeypatch, capfd, f"--workdir={dialogue}", "--turns=1", "--names=,"
    )
    assert alone.split("\n")[:-1] == model.generate(["w1 w2", "w3"])


def test_a_language_model_goes_on_with_all_that_was_said(
    writer: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    args = (f"--workdir={writer}", "--temperature=0", "--max_tokens=6")
    first, second = chat("the \n\n", monkeypatch, capfd, *args).split("\n")[:-1]
    model = genjax.load(writer)
    options = {"temperature": 0.0, "max_tokens": 6}
    assert [first] == model.generate(["the "], **options)
    assert [second] == model.generate([f"the {first}"], **options)


def test_draws_repeat_by_their_seed(
    writer: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    args = (f"--workdir={writer}", "--max_tokens=8", "--temperature=2")
    one, again, other = (
        chat("a\na\n", monkeypatch, capfd, *args, f"--seed={seed}") for seed in (4, 4, 5)
    )
    assert one == again != other


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--names=user"], "--names=user: must be two"),
        (["--turns=0"], "--turns"),
        (["--top_p=2"], "--top_p"),
    ],
)
def test_mistakes_are_one_line(
    args: list[str], message: str, writer: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main("chat", f"--workdir={writer}", *args) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_model_of_images_does_not_talk(trained: Path, capsys: pytest.CaptureFixture) -> None:
    assert main("chat", f"--workdir={trained}") == 2
    assert "this model writes no text" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("end", [b"\x04", b"\x03"])  # Ctrl-D, Ctrl-C
def test_a_terminal_is_asked_and_its_end_is_fine(dialogue: Path, end: bytes) -> None:
    ours, its = pty.openpty()
    streams = {"stdin": its, "stdout": its, "stderr": its}
    prefix = (sys.executable, "-c", _ON_ITS_TERMINAL)
    process = start("chat", f"--workdir={dialogue}", prefix=prefix, **streams)
    os.close(its)
    try:
        shown = read_until_asked(ours)
        os.write(ours, b"w1 w2\n")
        shown += read_until_asked(ours)
        press_until_it_ends(process, ours, end)
        assert process.returncode == 0
        assert b"Traceback" not in shown and shown.count(b"> ") == 2
    finally:
        process.kill()
        os.close(ours)


def read_until_asked(descriptor: int) -> bytes:
    found, deadline = b"", time.monotonic() + TIMEOUT
    while b"> " not in found:
        left = max(0.0, deadline - time.monotonic())
        assert select.select([descriptor], [], [], left)[0], found
        found += os.read(descriptor, 4096)
    return found


def press_until_it_ends(process: subprocess.Popen, descriptor: int, key: bytes) -> None:
    # As a person would: a signal right before Python waits for a line is seen only at the next one.
    for _ in range(TIMEOUT):
        os.write(descriptor, key)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
            return
    raise AssertionError(f"{key!r} did not end it in {TIMEOUT} s")
