"""Decoded data on disk: decode once, then memory-map.

An entry is a folder of `.npy` files and a `meta.json` that says what the others hold and how long
they are. It appears whole or not at all.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from genjax.core import files
from genjax.core.arrays import sound
from genjax.core.config import ConfigError, fail

Rows = dict[str, np.ndarray]
_META = "meta.json"
_CHECKSUM = "checksum"
_FORMAT = 1  # of an entry; another number rebuilds all


class Entry(NamedTuple):
    """A complete entry: its `folder`, and the `info` that its builder returned."""

    folder: Path
    info: dict[str, Any]

    def nbytes(self) -> int:
        """Returns the size of the arrays in bytes."""
        return sum(p.stat().st_size for p in self.folder.glob("*.npy"))

    def load(self, mmap: bool) -> Rows:
        """Loads the arrays by name: memory-mapped and read-only, or in memory."""
        return {
            p.stem: np.load(p, mmap_mode="r" if mmap else None, allow_pickle=False)
            for p in sorted(self.folder.glob("*.npy"))
        }

    def checksum(self) -> str:
        """Returns that of the arrays: the same wherever and whenever the same data are decoded."""
        path = self.folder / _META
        meta = files.read_json(path, finite=False)
        if _CHECKSUM not in meta:  # made before there were checksums
            meta[_CHECKSUM] = _checksum(self.folder)
            with contextlib.suppress(OSError):  # a folder that may only be read
                files.write_json(path, meta)
        return str(meta[_CHECKSUM])


def checksum(*entries: Entry) -> str:
    """Returns a checksum of the content of several entries, in their order."""
    return _digest("\0".join(e.checksum() for e in entries).encode()).hexdigest()


def checksum_of_arrays(*trees: Any) -> str:
    """Returns one of arrays in memory: dicts of them, or of such dicts."""
    digest = _digest()

    def add(tree: Any) -> None:
        for name in sorted(tree):
            if isinstance(tree[name], dict):
                add(tree[name])
            else:
                x = np.ascontiguousarray(tree[name])
                digest.update(f"\0{name}\0{x.dtype.str}\0{x.shape}\0".encode())
                digest.update(x)

    for tree in trees:
        digest.update(b"\0split")
        add(tree)
    return digest.hexdigest()


def _checksum(folder: Path) -> str:
    digest = _digest()
    for path in sorted(folder.glob("*.npy")):
        with path.open("rb") as f:
            digest.update(path.name.encode() + hashlib.file_digest(f, _digest).digest())
    return digest.hexdigest()


def _digest(content: bytes = b"") -> Any:
    return hashlib.blake2b(content, digest_size=16)


def root(cache_dir: str) -> Path:
    """Returns the folder of entries: `config.data.cache_dir`, or ~/.cache/genjax/data."""
    if cache_dir:
        return Path(cache_dir).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "genjax" / "data"


def entry(folder: Path, identity: dict[str, Any], build: Callable[[Path], dict[str, Any]]) -> Entry:
    """Returns the entry of `identity` below `folder`, built first unless it is there and complete.

    Args:
      folder: as `root` gives it; made with mode 0700 if missing, and left alone on a hit.
      identity: all that the content depends on; JSON. Its "name" and "split" name the entry.
      build: writes `.npy` files into the folder it is given (see `write_rows`), returns JSON info.

    Raises:
      ConfigError: the folder cannot be written (read-only, full); or from `build`.
    """
    identity = json.loads(json.dumps({**identity, "format": _FORMAT}))
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    words = re.sub(r"[^\w.]+", "_", f"{identity['name']}-{identity['split']}")[-80:].strip("_")
    path = folder / f"{words}-{digest}"
    if found := _complete(path, identity):
        return found
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _lock(folder / f".{path.name}.lock"):
            # Another process may have built it while this one waited.
            return _complete(path, identity) or _build(path, identity, build)
    except OSError as e:
        reason = e.strerror or str(e)
        raise fail(
            "data.cache_dir",
            str(folder),
            f"cannot write decoded data there ({reason}); "
            "must be a writable folder with enough space",
        ) from e


def _complete(path: Path, identity: dict[str, Any]) -> Entry | None:
    """Returns the entry at `path` if all of it is there, at the lengths that its builder wrote."""
    try:
        meta = files.read_json(path / _META, finite=False)
        arrays = list(path.glob("*.npy"))
        lengths = {p.name: p.stat().st_size for p in arrays}
        if meta["identity"] == identity and meta["files"] == lengths and all(map(sound, arrays)):
            return Entry(path, dict(meta["info"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _build(path: Path, identity: dict[str, Any], build: Callable[[Path], dict[str, Any]]) -> Entry:
    """Builds the entry; the caller holds the lock of `path`."""
    if path.exists():
        logging.warning("%s is damaged and is made again", path)
        shutil.rmtree(path, ignore_errors=True)
    files.remove_unfinished(path)
    try:
        with files.building(path, 0o700) as folder:
            info = build(folder)
            sizes = {p.name: p.stat().st_size for p in folder.glob("*.npy")}
            meta = {"identity": identity, "files": sizes, "info": info}
            files.write_json(folder / _META, meta | {_CHECKSUM: _checksum(folder)})
    except OSError:
        # Where locks do nothing (some network disks), another process may have been first.
        if found := _complete(path, identity):
            return found
        raise
    return Entry(path, info)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Holds an advisory lock, which the system releases when the process dies, however it dies."""
    with open(path, "w") as f:
        with contextlib.suppress(ImportError, OSError):  # no locks here: the rename still decides
            import fcntl

            fcntl.flock(f, fcntl.LOCK_EX)
        yield


def write_rows(
    folder: Path,
    num_rows: int | None,
    blocks: Iterable[Rows],
    what: str,
    left_out: Callable[[], int] = lambda: 0,
) -> None:
    """Writes blocks of rows, in order, as one `.npy` file for each name.

    Plain writes and no memory map: a full disk is then an `OSError` instead of a SIGBUS.

    Args:
      folder: where to.
      num_rows: of all blocks together; None where only writing them tells.
      blocks: dicts of arrays, `x` among them, whose first axis is rows; names, dtypes and row
        shapes never change.
      what: shown in the progress line.
      left_out: tells how many of `num_rows` the blocks came without, after the last one.
    """
    from tqdm import tqdm

    with contextlib.ExitStack() as stack:
        # disable=None: no line where stderr is not a terminal.
        progress = stack.enter_context(tqdm(total=num_rows, desc=what, unit="", disable=None))
        opened: dict[str, Any] = {}
        kinds: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
        written = 0
        for block in blocks:
            for name, rows in block.items():
                if name not in opened:
                    opened[name] = stack.enter_context(open(folder / f"{name}.npy", "wb"))
                    shape = rows.shape[1:]
                    _write_header(opened[name], (num_rows or 0, *shape), rows.dtype)
                    kinds[name] = (shape, rows.dtype)
                opened[name].write(np.ascontiguousarray(rows).data)
            written += len(block["x"])
            progress.update(len(block["x"]))
        if num_rows is not None and written + left_out() != num_rows:
            raise ConfigError(f"{what}: {written} examples found where {num_rows} were announced")
        if written != num_rows:
            for name, f in opened.items():
                shape, dtype = kinds[name]
                f.seek(0)
                _write_header(f, (written, *shape), dtype)  # NumPy leaves room for any length


def _write_header(f: Any, shape: tuple[int, ...], dtype: np.dtype) -> None:
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(f, header)
