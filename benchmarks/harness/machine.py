"""What a measurement depends on beside the code: the machine, the versions, and who else runs.

Reads /proc; elsewhere what it cannot know is None.
"""

import importlib.metadata
import os
import platform
import time
from typing import Any, NamedTuple

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "torch", "keras")
STRAY_SHARE = 0.05  # of one core: a process above it is named
IDLE_CORES = 0.1  # others may use so much during a row that still counts as measured alone


def describe() -> dict[str, Any]:
    """Describes CPU, cores, memory, system and versions."""
    return {
        "cpu": _cpu_name(),
        "cores": cores(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: v for name in _PACKAGES if (v := version(name))},
    }


def cores() -> int:
    """Counts the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load(seconds: float = 1.0) -> dict[str, Any]:
    """Measures how busy others keep the machine, over `seconds` in which we measure nothing.

    Returns:
      `load_average` (1 minute, which our own runs raise too), `other_cores` (cores that processes
      other than this one and its children keep busy; None where it cannot be told), `strays`
      (`"name (pid): 12 %"` of one core for each process above 5 %), `idle`.
    """
    meter, before, start = Meter(), _all_ticks(), time.perf_counter()
    time.sleep(seconds)
    after, passed = _all_ticks(), time.perf_counter() - start
    own = set(_family_of(os.getpid()))
    shares = {
        pid: (ticks - before[pid]) / _ticks_a_second() / passed
        for pid, ticks in after.items()
        if pid in before and pid not in own
    }
    busy = sorted(((s, pid) for pid, s in shares.items() if s > STRAY_SHARE), reverse=True)
    strays = [f"{_name(pid)} ({pid}): {share:.0%}" for share, pid in busy]
    others = meter.other_cores()
    return {
        "load_average": os.getloadavg()[0],
        "other_cores": others,
        "strays": strays,
        "idle": None if others is None else not strays and others < IDLE_CORES,
    }


class Meter:
    """Counts the cores that others keep busy from its making on, while we work.

    Ours are this process and all that it and its children start, such as the workers of a peer,
    which must be alive until `other_cores` is asked.
    """

    def __init__(self) -> None:
        self._start = self._now()

    def other_cores(self) -> float | None:
        """Counts busy cores that are not ours, on average so far; None where it is not known."""
        now = self._now()
        if now is None or self._start is None:
            return None
        passed = max(now.clock - self._start.clock, 1e-3)
        busy, own = now.busy - self._start.busy, now.own - self._start.own
        return max(0.0, (busy - own) / _ticks_a_second() / passed)

    def _now(self) -> "_Ticks | None":
        busy = _busy_ticks()
        if busy is None:
            return None
        own = sum(_ticks(pid, with_children=True) or 0 for pid in _family_of(os.getpid()))
        return _Ticks(time.perf_counter(), busy, own)


class _Ticks(NamedTuple):
    clock: float
    busy: int  # of all cores
    own: int


def _busy_ticks() -> int | None:
    """Counts busy ticks of all cores, with what the host took from a virtual machine."""
    try:
        with open("/proc/stat") as f:
            user, nice, system, _, _, irq, softirq, steal, *_ = map(int, f.readline().split()[1:])
    except OSError:
        return None
    return user + nice + system + irq + softirq + steal


def _ticks(pid: int, with_children: bool = False) -> int | None:
    """Counts user and system ticks of a process, and of its ended children if wanted."""
    fields = _stat(pid)
    return None if fields is None else sum(map(int, fields[11 : 15 if with_children else 13]))


def _stat(pid: int) -> list[str] | None:
    """Reads the fields of /proc/PID/stat from the third on (the second may hold blanks)."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()
    except OSError:
        return None


def _all_ticks() -> dict[int, int]:
    found = {pid: _ticks(pid) for pid in _pids()}
    return {pid: ticks for pid, ticks in found.items() if ticks is not None}


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _family_of(pid: int) -> list[int]:
    """Returns `pid` and all its descendants."""
    parents = {p: int(fields[1]) for p in _pids() if (fields := _stat(p))}
    found = [pid]
    for parent in found:
        found += [p for p, of in parents.items() if of == parent]
    return found


def _name(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            words = f.read().split(b"\0")
        text = b" ".join(words).decode(errors="replace").strip()
        return text[:60] or _comm(pid)
    except OSError:
        return "ended"


def _comm(pid: int) -> str:
    with open(f"/proc/{pid}/comm") as f:
        return f.read().strip()


def _ticks_a_second() -> int:
    return os.sysconf("SC_CLK_TCK")


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo") as f:
            for line in f:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError):
        return None


def version(package: str) -> str | None:
    """Returns the installed version of a package; None: it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
