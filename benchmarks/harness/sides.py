"""Sides of a comparison as child processes, run in turn: A B A B …, never two at a time.

Each side lives in a process of its own, so that the thread pools of PyTorch and XLA do not meet,
and stays alive over all rounds, so that a round measures work and not starting.
"""

import contextlib
import importlib.metadata
import json
import os
import selectors
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_SETUP_SECONDS = 420.0  # torch.compile takes a minute, stock convolutions compile slowly
_RUN_SECONDS = 180.0
_PAUSE_SECONDS = 0.25  # in which the other side's threads stop spinning
_LEAVE_SECONDS = 3.0


class SideError(RuntimeError):
    """A child failed, hung or died; the message ends with the last of what it said."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
      label: names it in the record, as in `eager` or `compiled`.
      target: `module:function`, which returns a `benchmarks.harness.child.Timed`.
      arguments: keyword arguments of the function; must be JSON.
      packages: what must be installed, beside genjax's own dependencies.
      env: environment variables that differ from the parent's.
    """

    label: str
    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    packages: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def missing(self) -> list[str]:
        """Returns the packages that are not installed."""
        return [name for name in self.packages if not _is_installed(name)]

    def version(self) -> str:
        """Returns its packages with their versions, as in `keras 3.15.1, jax 0.10.2`."""
        return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in self.packages)


def _is_installed(package: str) -> bool:
    try:  # by its name on PyPI, which is not always the one that is imported
        importlib.metadata.distribution(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


class Child:
    """The process of a side. Made once its set-up is through; `close` ends it and its children."""

    def __init__(self, side: Side, setup_seconds: float = _SETUP_SECONDS):
        self.side = side
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        arguments = json.dumps(dict(side.arguments))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.harness.child", side.target, arguments],
            cwd=ROOT,
            env={**os.environ, **side.env},
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        self.pid = self._process.pid
        self._unread = b""
        try:
            self.info: dict[str, Any] = self._reply(setup_seconds, "set-up")["ready"]
        except BaseException:
            self.close()
            raise

    @property
    def device(self) -> str:
        """The name of the device that it runs on; of a side that says nothing, the CPU."""
        return str(self.info.get("device", "cpu"))

    def run(self, seconds: float = _RUN_SECONDS, least: float = 0.0) -> dict[str, Any]:
        """Makes one run: `seconds` for each unit of the row, and `result`.

        Args:
          seconds: the most that it may take.
          least: it runs again until so many have passed, and the mean counts.

        Raises:
          SideError: it failed or took longer than `seconds`.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"run {least}\n".encode() if least else b"run\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failed("ended by itself") from None
        return self._reply(seconds, "run")

    def close(self) -> None:
        """Ends the child's process group, at once if it does not leave by itself."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        # It leaves when its input ends; then its output ends. It is reaped only after the kill:
        # until then its id, and so its group's, cannot be that of another process.
        deadline = time.monotonic() + _LEAVE_SECONDS
        with contextlib.suppress(TimeoutError):
            while self._read(deadline):
                pass
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()
        self._stderr.close()

    def __enter__(self) -> "Child":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reply(self, seconds: float, doing: str) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while b"\n" not in self._unread:
            try:
                more = self._read(deadline)
            except TimeoutError:
                raise self._failed(f"{doing} took longer than {seconds:.0f} s") from None
            if not more:
                raise self._failed(f"ended during its {doing}")
            self._unread += more
        line, self._unread = self._unread.split(b"\n", 1)
        message = json.loads(line)
        if "error" in message:
            raise self._failed(message["error"])
        return message

    def _read(self, deadline: float) -> bytes:
        """Waits until `deadline` for what the child writes; empty at its end."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
        return os.read(self._process.stdout.fileno(), 1 << 16)

    def _failed(self, why: str) -> SideError:
        self._stderr.seek(0)
        said = self._stderr.read().decode(errors="replace").strip().splitlines()[-15:]
        return SideError("\n  ".join([f"{self.side.target} ({self.side.label}): {why}", *said]))


def same_device(children: Sequence[Child]) -> str:
    """Returns the device that all children run on.

    Raises:
      SideError: they run on several, which is no comparison.
    """
    names = dict.fromkeys(child.device for child in children)
    if len(names) > 1:
        where = ", ".join(f"{child.side.label}: {child.device}" for child in children)
        raise SideError(f"sides on different devices are not compared ({where})")
    return next(iter(names), "")


def interleave(
    children: Sequence[Child], rounds: int, pause: float = _PAUSE_SECONDS
) -> list[list[dict[str, Any]]]:
    """Runs the children in turn, `rounds` times each: A B A B ….

    Returns:
      For each child, its replies in order.
    """
    replies: list[list[dict[str, Any]]] = [[] for _ in children]
    for _ in range(rounds):
        for child, into in zip(children, replies):
            time.sleep(pause)
            into.append(child.run())
    return replies


def spread(values: Sequence[float]) -> float:
    """Computes largest minus smallest, over the median: how far a side's runs disagree."""
    return (max(values) - min(values)) / statistics.median(values)
