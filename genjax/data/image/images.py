"""Any folder of pictures, with sub-folders as classes."""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import ConfigError, fail
from genjax.data import cache
from genjax.data.found import shorten
from genjax.data.image.listing import EXTENSIONS, UNREAD, File, Listing, listing
from genjax.data.image.pictures import printable, short_path
from genjax.data.source import Dataset
from genjax.data.stored import dataset, decoded

_SPLITS = frozenset(
    {"train", "training", "val", "valid", "validation", "dev", "test", "testing", "eval"}
)  # folders of these names are hardly classes


def load(data: ConfigDict) -> Dataset:
    """Loads the pictures below the folder of `images:DIR`, x float32 in [0, 1].

    Pictures in sub-folders, at any depth, are labeled (int32) by the first sub-folder on their way,
    in alphabetical order; pictures in DIR itself are unlabeled. Hidden files and links that lead
    back are left alone. How pixels are read tells `genjax.data.image.pictures.decode`.

    `data.image_size` resizes the shorter side and crops the center, `data.channels` makes all gray
    or all color; without them all pictures must be alike. A picture belongs to the test split if a
    hash of its path below DIR falls below `data.test_fraction`: adding pictures, and leaving out
    those that cannot be read (`data.on_bad=skip`), moves no other. With `data.split_by`, a regular
    expression, the hash is of the groups of all its matches in the path: pictures that are alike in
    these, as designs and skin tones of one symbol, are in one split. What is left belongs to the
    validation split if another hash falls below `data.validation_fraction`.

    Raises:
      ConfigError: no such folder, not readable, no pictures, pictures both in DIR and in
        sub-folders, a broken picture (unless they are skipped), pictures that differ in shape, or
        that do not say which value is white; `data.split_by` that does not match, or matches all
        alike.
    """
    folder = Path(os.path.expanduser(data.name.removeprefix("images:")))
    found = _listed(data, folder)
    files, classes = found.files, found.classes
    split_of = _splits(data, [f.path for f in files])
    train, test, *validation = (
        _entry(
            data,
            folder,
            [f for f, of in zip(files, split_of) if of == split and not f.reason],
            classes,
            split,
        )
        for split in ("train", "test", *["validation"] * bool(data.validation_fraction))
    )
    of = f"the groups of {data.split_by} in the path" if data.split_by else "the path"
    message: dict[str, Any] = {
        "source": f"test split by a hash of {of} ({100 * data.test_fraction:g} %)"
    }
    if found.left_alone:
        first = [short_path(p) for p in found.left_alone[:3]]
        message["left_alone"] = {"count": len(found.left_alone), "first": first}
    bad = [(f.path, f.reason) for f in (*found.bad_folders, *files) if f.reason]
    return dataset(
        data,
        train,
        test,
        *validation,
        num_classes=len(classes),
        labels=[printable(c) for c in classes],
        found=message,
        warnings=_warnings(data, found),
        bad=bad,
    )


def _listed(data: ConfigDict, folder: Path) -> Listing:
    """Lists what lies in `folder`, if it is a data set."""
    try:
        found = listing(folder)
    except (FileNotFoundError, NotADirectoryError, ValueError) as e:  # a NUL in the name
        raise fail("data.name", data.name, "no such folder") from e
    except OSError as e:
        raise fail("data.name", data.name, f"cannot read {e.filename}: {e.strerror}") from e
    if data.on_bad == "stop" and found.bad_folders:
        path, _, reason = found.bad_folders[0]
        raise fail(
            "data.name",
            data.name,
            f"cannot read {short_path(path)}: {reason}; config.data.on_bad=skip leaves it out",
        )
    files, classes = found.files, found.classes
    if not files:
        alone = ", ".join(map(short_path, found.left_alone[:3]))
        alone = f"; left alone: {alone}" if alone else ""
        kinds = " ".join(sorted(EXTENSIONS))
        raise fail("data.name", data.name, f"holds no pictures ({kinds}){alone}")
    if len(files) < 2:
        raise fail("data.name", data.name, "holds one picture; must be two or more")
    loose = next((f.path for f in files if "/" not in f.path), None)
    if classes and loose:
        raise fail(
            "data.name",
            data.name,
            f"holds pictures ({short_path(loose)}) beside class folders "
            f"({short_path(classes[0])}); must be either",
        )
    return found


def _warnings(data: ConfigDict, found: Listing) -> list[str]:
    """Lists what in the listing is probably a mistake."""
    message = []
    splits = [c for c in found.classes if c.lower() in _SPLITS]
    if len(splits) > 1 or (splits and splits == found.classes):
        first = next((c for c in splits if c.lower().startswith("train")), splits[0])
        message.append(
            f"folders {shorten([*map(short_path, splits)], 4)} are read as classes, not as splits: "
            f"to learn from one of them alone add /{first} to config.data.name"
        )
    if found.empty:
        message.append(f"no pictures in {shorten([*map(short_path, found.empty)])}: not a class")
    ends = [os.path.splitext(p)[1].lower() for p in found.left_alone]
    if unread := [e for e in ends if e in UNREAD]:
        kinds = ", ".join(sorted(set(unread)))
        message.append(
            f"pictures of kinds that are not read ({kinds}: {len(unread):,}) are left alone: "
            "convert them to PNG or JPEG"
        )
    return message


def _splits(data: ConfigDict, paths: list[str]) -> list[str]:
    """Says of each path which split it belongs to; those of one key (`_key`) to the same."""
    keys = [_key(data, p) for p in paths]
    test = _chosen(data, set(keys), data.test_fraction, "")
    validation: set[str] = set()
    if data.validation_fraction:
        validation = _chosen(data, set(keys) - test, data.validation_fraction, "validation ")
    return [
        "test" if key in test else "validation" if key in validation else "train" for key in keys
    ]


def _key(data: ConfigDict, path: str) -> str:
    """Returns what of a path decides about its split."""
    if not data.split_by:
        return path
    try:
        matches = [m.groups() for m in re.finditer(data.split_by, path)]
    except re.error as e:
        raise fail("data.split_by", data.split_by, f"is no regular expression ({e})") from e
    key = "-".join(part for groups in matches for part in groups if part)
    if not key:
        raise fail(
            "data.split_by",
            data.split_by,
            f"finds no group () in {short_path(path)}; must in each path below the folder",
        )
    return key


def _chosen(data: ConfigDict, keys: set[str], fraction: float, salt: str) -> set[str]:
    """Chooses about a fraction of the keys by their hashes: at least one, and never all."""
    if len(keys) < 2:
        name = "split_by" if data.split_by else "validation_fraction"
        raise fail(f"data.{name}", data[name], "leaves too few pictures, or groups of them")
    order = sorted((_hash(salt + key), key) for key in keys)
    least = [key for h, key in order if h < fraction * 16**12]
    return set(least[: len(keys) - 1]) or {order[0][1]}


def _hash(key: str) -> int:
    return int(hashlib.sha256(key.encode(errors="replace")).hexdigest()[:12], 16)


def _entry(
    data: ConfigDict, folder: Path, files: list[File], classes: list[str], split: str
) -> cache.Entry:
    """Decodes one split into the cache."""
    names = "\0".join(f"{f.path}\0{f.stamp}" for f in files)
    identity = {
        "name": f"images-{folder.resolve().name}",
        "split": split,
        "folder": str(folder.resolve()),
        "files": hashlib.sha256(names.encode(errors="replace")).hexdigest(),
        "classes": classes,
    }
    number = {c: i for i, c in enumerate(classes)}

    def read(part: range) -> Any:
        paths = [files[i].path for i in part]
        labels = np.array([number[p.split("/")[0]] for p in paths] if classes else [], np.int32)
        encoded = [_bytes(folder / p) for p in paths]
        return encoded, paths, {"label": labels} if classes else {}

    what = f"{short_path(folder.name)} {split}"
    return decoded(data, identity, len(files), lambda: read, what, f"{folder}/")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise ConfigError(f"{path}: cannot be read ({e.strerror})") from e
