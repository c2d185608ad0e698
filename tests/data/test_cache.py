import os
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from genjax.core.config import ConfigError
from genjax.data import cache

IDENTITY = {"name": "set", "split": "train", "size": 8}
CHILD = """
import sys, time
from pathlib import Path
import numpy as np
from genjax.data import cache

folder, calls, mode = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def blocks():
    for i in range(10):
        yield {"x": np.full((10, 1000), i, np.uint8)}
        if mode == "stall" and i == 5:
            print("half way", flush=True)
            time.sleep(600)
        if mode == "slow":
            time.sleep(0.1)

def build(to):
    with open(calls, "a") as f:
        f.write("built\\n")
    cache.write_rows(to, 100, blocks(), "test")
    return {}

print("ready", flush=True)
sys.stdin.readline()
entry = cache.entry(folder, {"name": "set", "split": "train", "size": 8}, build)
print(int(entry.load(mmap=True)["x"].sum()), flush=True)
"""


def blocks():
    for i in range(10):
        yield {"x": np.full((10, 1000), i, np.uint8), "label": np.full(10, i, np.int32)}


class Builder:
    def __init__(self, source=blocks):
        self.calls, self.source = 0, source

    def __call__(self, to):
        self.calls += 1
        cache.write_rows(to, 100, self.source(), "test")
        return {"note": 3}


def child(folder, calls, mode):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(calls), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def go(process):
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("\n")
    process.stdin.flush()


def test_second_call_reads_what_the_first_wrote(tmp_path):
    build = Builder()
    for mmap in (True, False):
        entry = cache.entry(tmp_path, IDENTITY, build)
        arrays = entry.load(mmap)
        assert isinstance(arrays["x"], np.memmap) == mmap
        assert arrays["x"].shape == (100, 1000) and arrays["label"].dtype == np.int32
        np.testing.assert_array_equal(arrays["x"][:, 0], np.repeat(np.arange(10), 10))
        assert entry.info == {"note": 3}
        assert 100_400 <= entry.nbytes() < 102_000
    assert build.calls == 1


def test_entries_are_private_to_the_user(tmp_path):
    folder = tmp_path / "made" / "here"
    entry = cache.entry(folder, IDENTITY, Builder())
    for path in (folder, entry.folder):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_another_identity_is_another_entry(tmp_path):
    build = Builder()
    folders = {
        cache.entry(tmp_path, {**IDENTITY, **change}, build).folder
        for change in ({}, {"size": 9}, {"split": "test"}, {"files": [["a", 1, 2]]})
    }
    assert len(folders) == build.calls == 4


@pytest.mark.parametrize("damage", ["truncate", "grow", "remove", "meta", "no_meta", "add"])
def test_damaged_entry_is_built_again(tmp_path, damage):
    build = Builder()
    folder = cache.entry(tmp_path, IDENTITY, build).folder
    x, meta = folder / "x.npy", folder / "meta.json"
    if damage == "truncate":
        os.truncate(x, x.stat().st_size - 1)
    elif damage == "grow":
        x.write_bytes(x.read_bytes() + b"!")
    elif damage == "remove":
        (folder / "label.npy").unlink()
    elif damage == "meta":
        os.truncate(meta, meta.stat().st_size // 2)
    elif damage == "no_meta":
        meta.unlink()
    else:
        np.save(folder / "y.npy", np.zeros(3))
    entry = cache.entry(tmp_path, IDENTITY, build)
    assert build.calls == 2
    assert set(entry.load(mmap=False)) == {"x", "label"}
    assert entry.load(mmap=False)["x"].sum() == 450_000


def test_killed_builder_leaves_nothing_that_counts(tmp_path):
    folder, calls = tmp_path / "cache", tmp_path / "calls"
    process = child(folder, calls, "stall")
    try:
        go(process)
        assert process.stdout.readline() == "half way\n"
        assert not list(folder.glob("set*"))
        assert list(folder.glob(".*building*"))
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)
    build = Builder()
    entry = cache.entry(folder, IDENTITY, build)
    assert build.calls == 1 and entry.load(mmap=True)["x"].sum() == 450_000
    assert not list(folder.glob(".*building*"))


def test_racing_processes_build_once_and_read_the_same(tmp_path):
    folder, calls = tmp_path / "cache", tmp_path / "calls"
    processes = [child(folder, calls, "slow") for _ in range(2)]
    try:
        for p in processes:
            go(p)
        assert [p.communicate(timeout=60)[0] for p in processes] == ["450000\n"] * 2
    finally:
        for p in processes:
            p.kill()
    assert calls.read_text() == "built\n"


def test_a_failing_builder_leaves_no_trace(tmp_path):
    def breaks():
        yield {"x": np.zeros((10, 1000), np.uint8)}
        raise ConfigError("file 11 is broken")

    with pytest.raises(ConfigError, match="file 11"):
        cache.entry(tmp_path, IDENTITY, Builder(breaks))
    assert not [p for p in tmp_path.iterdir() if p.is_dir()]


def test_fewer_rows_than_announced_are_an_error(tmp_path):
    short = Builder(lambda: (b for b, _ in zip(blocks(), range(9))))
    with pytest.raises(ConfigError, match="90 examples found where 100"):
        cache.entry(tmp_path, IDENTITY, short)


def test_a_disk_that_fills_up_is_one_line(tmp_path):
    """A limit on the size of files fails a write half way, as a full disk does."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, old[1]))
    try:
        with pytest.raises(ConfigError, match=r"config\.data\.cache_dir=.*too large") as e:
            cache.entry(tmp_path, IDENTITY, Builder())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert "\n" not in str(e.value)
    assert not [p for p in tmp_path.iterdir() if p.is_dir()]


@pytest.mark.parametrize("below", ["file", "/proc/nothing", "/dev/null"])
def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, below):
    (tmp_path / "file").write_text("")
    folder = (tmp_path / below) / "cache"
    with pytest.raises(ConfigError, match=r"config\.data\.cache_dir='.*cache'.*writable") as e:
        cache.entry(folder, IDENTITY, Builder())
    assert "\n" not in str(e.value)


def test_a_hit_writes_nothing(tmp_path):
    entry = cache.entry(tmp_path, IDENTITY, Builder())
    for lock in tmp_path.glob(".*.lock"):
        lock.unlink()
    before = {p: p.stat().st_mtime_ns for p in [tmp_path, *tmp_path.rglob("*")]}
    time.sleep(0.01)
    assert cache.entry(tmp_path, IDENTITY, Builder()) == entry
    assert {p: p.stat().st_mtime_ns for p in [tmp_path, *tmp_path.rglob("*")]} == before


def test_default_folder_is_the_users_cache(monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache.root("") == Path("/home/someone/.cache/genjax/data")
    assert cache.root("~/decoded") == Path("/home/someone/decoded")
