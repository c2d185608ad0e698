"""Any folder of pictures, with sub-folders as classes."""

import hashlib
import importlib.metadata
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import ConfigError, fail
from genjax.data import cache
from genjax.data.pictures import decode_blocks
from genjax.data.source import Dataset
from genjax.data.stored import dataset

EXTENSIONS = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff"}
    | {".webp"}
)  # of files that are taken for pictures, in any case; others are left alone


class _File(NamedTuple):
    path: str  # below the folder, with "/"
    stamp: tuple[int, int]  # size in bytes, time of change in ns


def load(data: ConfigDict) -> Dataset:
    """The pictures below the folder of `images:DIR`, x float32 in [0, 1].

    Pictures in sub-folders, at any depth, are labelled (int32) by the first sub-folder on their
    way, in alphabetical order; pictures in DIR itself are unlabelled. Hidden files are left alone.

    `data.image_size` resizes the shorter side and crops the centre, `data.channels` makes all grey
    or all colour; without them all pictures must be alike. A picture belongs to the test split if a
    hash of its path below DIR falls below `data.test_fraction`: adding pictures moves no other.

    Raises:
      ConfigError: no such folder, not readable, no pictures, pictures both in DIR and in
        sub-folders, a broken picture, pictures that differ in shape.
    """
    folder = Path(data.name.removeprefix("images:")).expanduser()
    if not folder.is_dir():
        raise fail("data.name", data.name, "no such folder")
    try:
        files = sorted(_files(folder, ""))
    except OSError as e:
        raise fail("data.name", data.name, f"cannot read {e.filename}: {e.strerror}") from e
    if not files:
        raise fail("data.name", data.name, f"holds no pictures ({' '.join(sorted(EXTENSIONS))})")
    if len(files) < 2:
        raise fail("data.name", data.name, "holds one picture; must be two or more")
    classes = sorted({f.path.split("/")[0] for f in files if "/" in f.path})
    loose = next((f.path for f in files if "/" not in f.path), None)
    if classes and loose:
        raise fail(
            "data.name", data.name,
            f"holds pictures ({loose}) beside class folders ({classes[0]}); must be either"
,
        )  # fmt: skip
    in_test = _in_test([f.path for f in files], data.test_fraction)
    train, test = (
        _entry(data, folder, [f for f, t in zip(files, in_test) if t == test], classes, split)
        for split, test in (("train", False), ("test", True))
    )
    return dataset(data, train, test, num_classes=len(classes), labels=classes)


def _files(folder: Path, below: str) -> Iterator[_File]:
    """Pictures in `folder` and its sub-folders; links are followed, hidden names left out."""
    with os.scandir(folder) as entries:
        for e in entries:
            if e.name.startswith("."):
                continue
            if e.is_dir():
                yield from _files(Path(e.path), f"{below}{e.name}/")
            elif os.path.splitext(e.name)[1].lower() in EXTENSIONS:
                s = e.stat()
                yield _File(below + e.name, (s.st_size, s.st_mtime_ns))


def _in_test(paths: list[str], fraction: float) -> list[bool]:
    """Whether each path is in the test split; at least one is, and at least one is not."""
    hashes = [int(hashlib.sha256(p.encode(errors="replace")).hexdigest()[:12], 16) for p in paths]
    test = [h < fraction * 16**12 for h in hashes]
    if not any(test):
        test[hashes.index(min(hashes))] = True
    if all(test):
        test[hashes.index(max(hashes))] = False
    return test


def _entry(
    data: ConfigDict, folder: Path, files: list[_File], classes: list[str], split: str
) -> cache.Entry:
    """One split, decoded into the cache."""
    listing = "\0".join(f"{f.path}\0{f.stamp}" for f in files)
    identity = {
        "name": f"images-{folder.resolve().name}",
        "split": split,
        "folder": str(folder.resolve()),
        "files": hashlib.sha256(listing.encode(errors="replace")).hexdigest(),
        "classes": classes,
        "size": data.image_size,
        "channels": data.channels,
        "decoder": f"pillow {importlib.metadata.version('pillow')}",
    }
    number = {c: i for i, c in enumerate(classes)}

    def read(part: range) -> Any:
        paths = [files[i].path for i in part]
        labels = np.array([number[p.split("/")[0]] for p in paths] if classes else [], np.int32)
        names = [str(folder / p) for p in paths]
        return [_bytes(n) for n in names], names, {"label": labels} if classes else {}

    def build(to: Path) -> dict[str, Any]:
        blocks = decode_blocks(len(files), read, data.image_size, data.channels)
        cache.write_rows(to, len(files), blocks, f"decoding {folder.name} {split}")
        return {}

    return cache.entry(cache.root(data.cache_dir), identity, build)


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read ({e.strerror})") from e
