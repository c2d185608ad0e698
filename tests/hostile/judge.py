"""What is asked of every reader that is given a hostile file."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genjax.core.config import ConfigError

MARKER = "executed"  # what hostile code makes where it is run
_MOST = 200 * 2**20  # bytes; the largest JSON that is read has 64 MiB


_PEAK = Path("/proc/self/clear_refs")  # a 5 in it makes the peak begin anew


def _memory(name: str) -> int:
    """Bytes, as Linux counts them: tracemalloc crashes Python where threads of C++ allocate."""
    kilobytes = re.search(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.M)
    assert kilobytes
    return 1024 * int(kilobytes[1])


def snapshot(folder: Path) -> dict[str, Any]:
    """All that is in a folder, without the content of what has none or is huge."""
    return {
        str(p.relative_to(folder)): p.read_bytes()
        if p.is_file() and p.stat().st_size < 2**22
        else (p.lstat().st_mode, p.lstat().st_size)
        for p in sorted(folder.rglob("*"))
        if not p.is_dir()
    }


def refused(folder: Path, read: Callable[[], Any]) -> str:
    """The one line that `read` is refused by, in bounded memory, with nothing run or written."""
    before = snapshot(folder)
    resident = _memory("VmRSS")
    _PEAK.write_text("5")
    with pytest.raises(ConfigError) as error:
        read()
    peak = _memory("VmHWM") - resident
    message = str(error.value)
    assert message.strip() and "\n" not in message and len(message) < 400, message
    assert peak < _MOST, peak
    assert not list(folder.rglob(MARKER)), "code of the file was run"
    assert snapshot(folder) == before
    return message
