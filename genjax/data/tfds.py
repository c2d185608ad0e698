"""TensorFlow Datasets, read without TensorFlow. The only module that imports tensorflow_datasets.

What a prepared data set holds is read from its two JSON files, so that a decoded one (see
`genjax.data.cache`) is found again without importing anything.
"""

import contextlib
import hashlib
import importlib.util
import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

import numpy as np
from ml_collections import ConfigDict

from genjax.core import files
from genjax.core.config import ConfigError, fail
from genjax.data import tfds_folder
from genjax.data.cache import Entry
from genjax.data.image import pictures
from genjax.data.shuffle import permuted
from genjax.data.source import Dataset
from genjax.data.stored import dataset, decoded

_VERSION = re.compile(r"\d+\.\d+\.\d+")
_NAME = re.compile(r"(?P<name>\w+)(/(?P<config>[\w.\-+]+))?(:(?P<version>\d+\.\d+\.\d+))?")


class Prepared(NamedTuple):
    """A prepared data set on disk.

    Attributes:
      folder: its folder, named for the version.
      splits: number of examples by split.
      features: the `features` object of features.json; empty for sets that are no dict of features.
    """

    folder: Path
    splits: dict[str, int]
    features: dict[str, Any]

    def first(self, kind: str, preferred: str) -> str:
        """Finds a feature of a TFDS class (`Image`, …): `preferred`, else the first, else ""."""
        names = [k for k, v in self.features.items() if v["pythonClassName"].endswith(f".{kind}")]
        return preferred if preferred in names else next(iter(names), "")

    def flags(self) -> tuple[str, list[str]]:
        """Finds the feature that is a dict of booleans (CelebA's `attributes`), and their names."""
        for name, feature in self.features.items():
            inner = feature.get("featuresDict", {}).get("features", {})
            if inner and all(f.get("tensor", {}).get("dtype") == "bool" for f in inner.values()):
                return name, sorted(inner)
        return "", []


def load(data: ConfigDict) -> Dataset:
    """Loads `tfds:NAME[/CONFIG][:VERSION]`: images x float32 in [0, 1], int32 labels if any.

    A dict of booleans beside the image becomes `attributes`, uint8, its names in alphabetical
    order. The test split is `test`, else `validation`, else a fixed random `data.test_fraction` of
    `train`. If it is not prepared below `data.dir` it is downloaded and prepared first.

    Raises:
      ConfigError: unknown data set, missing folder, not preparable, no images.
    """
    prepared = find(data)
    image = prepared.first("Image", "image")
    if not image:
        features = ", ".join(prepared.features) or "none"
        raise fail("data.name", data.name, f"has no image feature (features: {features})")
    dtype = prepared.features[image]["image"].get("dtype", "uint8")
    if dtype != "uint8":
        raise fail("data.name", data.name, f"stores images as {dtype}; must be uint8")
    label = prepared.first("ClassLabel", "label")
    classes = int(prepared.features[label]["classLabel"]["numClasses"]) if label else 0
    of = splits(data, prepared)
    train, test = (_entry(data, prepared, split, rows, image, label) for split, rows in of)
    return dataset(
        data,
        train,
        test,
        num_classes=classes,
        attributes=prepared.flags()[1],
        labels=class_names(prepared, label) if label else (),
        found={"source": _source_of(data, prepared, of)},
    )


def _source_of(data: ConfigDict, prepared: Prepared, of: list[Any]) -> str:
    """Says where the two splits come from."""
    version = f"version {prepared.folder.name}"
    if of[1][1] is None:
        return f"{version}, splits {of[0][0]} and {of[1][0]}"
    return f"{version}, test split a fixed random {100 * data.test_fraction:g} % of {of[1][0]}"


def examples(
    data: ConfigDict, prepared: Prepared, split: str, rows: np.ndarray | None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the examples of a split (or some of its rows) in order, each with where it stands."""
    source = _data_source(data, prepared, split)
    for i in range(prepared.splits[split]) if rows is None else rows.tolist():
        try:
            example = source[i]
        except Exception as e:  # array_record has no error type of its own
            raise _cannot(data, f"{prepared.folder} cannot be read", e) from e
        yield f"{data.name} {split}[{i}]", example


def class_names(prepared: Prepared, label: str) -> list[str]:
    """Returns the names of the classes of a label, their numbers where they have none."""
    path = prepared.folder / f"{label}.labels.txt"
    number = int(prepared.features[label]["classLabel"]["numClasses"])
    if not path.exists():
        return [str(i) for i in range(number)]
    with files.reading(path):
        text = files.read_bytes(path).decode("utf-8-sig")
    names = [pictures.printable(n) for n in text.splitlines()]
    if len(names) != number:
        raise ConfigError(f"{path}: names {len(names)} classes; features.json has {number}")
    return names


def stamps(prepared: Prepared) -> list[list[Any]]:
    """Returns names, sizes and times of the files of all splits: others whenever these are."""
    files = sorted(p for p in prepared.folder.iterdir() if ".array_record" in p.name)
    return [[str(p), p.stat().st_size, p.stat().st_mtime_ns] for p in files]


def find(data: ConfigDict) -> Prepared:
    """Finds the prepared data set that `data.name` means; the newest version unless it names one.

    It lies in `data.dir`, else TFDS_DATA_DIR, else ~/tensorflow_datasets, and is prepared there if
    it is missing.
    """
    match = _NAME.fullmatch(data.name.removeprefix("tfds:"))
    if not match:
        raise fail("data.name", data.name, "must be tfds:NAME, tfds:NAME/CONFIG or with :VERSION")
    given = data.dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    root = Path(os.path.expanduser(given))
    if data.dir and not os.path.isdir(root):
        raise fail("data.dir", data.dir, "no such folder")
    if data.manual_dir and not os.path.isdir(os.path.expanduser(data.manual_dir)):
        raise fail("data.manual_dir", data.manual_dir, "no such folder")

    folder = _version_folder(data, root, **match.groupdict())
    if folder is None:
        folder = _prepare(data, root)
    return _read_info(data, folder)


def _version_folder(
    data: ConfigDict, root: Path, name: str, config: str | None, version: str | None
) -> Path | None:
    """Finds the folder of a prepared version, or None."""
    base = root / name / config if config else root / name
    versions = _versions(base)
    if not versions and not config and base.is_dir():
        configs = [p.name for p in sorted(base.iterdir()) if _versions(p)]
        if len(configs) > 1:
            raise fail("data.name", data.name, f"must be {name}/ and one of {', '.join(configs)}")

        versions = _versions(base / configs[0]) if configs else {}
    if version:
        return versions.get(version)
    newest = max(versions, key=lambda v: tuple(map(int, v.split("."))), default=None)
    return versions[newest] if newest else None


def _versions(base: Path) -> dict[str, Path]:
    return {
        p.parent.name: p.parent
        for p in base.glob("*/dataset_info.json")
        if _VERSION.fullmatch(p.parent.name)
    }


def _read_info(data: ConfigDict, folder: Path) -> Prepared:
    try:
        found = tfds_folder.read(folder)
    except (OSError, ValueError) as e:
        message = f"{folder} is no prepared data set that can be read ({files.reason(e)})"
        raise fail("data.name", data.name, message) from e
    if found.format != "array_record":
        raise fail(
            "data.name",
            data.name,
            f"prepared as {found.format} in {folder}; "
            "must be prepared with file_format=array_record",
        )
    return Prepared(folder, found.splits, found.features)


def splits(data: ConfigDict, prepared: Prepared) -> list[tuple[str, np.ndarray | None]]:
    """Returns (split, its rows or None for all) of the train and of the test part."""
    if "train" not in prepared.splits:
        raise fail("data.name", data.name, f"no train split; has {', '.join(prepared.splits)}")
    for name in ("test", "validation"):
        if prepared.splits.get(name):
            return [("train", None), (name, None)]
    n = prepared.splits["train"]
    num_test = max(1, round(data.test_fraction * n))
    if num_test >= n:
        raise fail("data.test_fraction", data.test_fraction, f"leaves none of {n} to train on")
    test = permuted(np.arange(n), 0, np.zeros(2, np.uint32), n, np) < num_test
    return [("train", np.flatnonzero(~test)), ("train", np.flatnonzero(test))]


def _entry(
    data: ConfigDict,
    prepared: Prepared,
    split: str,
    rows: np.ndarray | None,
    image: str,
    label: str,
) -> Entry:
    """Decodes one split (or some rows of it) into the cache."""
    folder = prepared.folder
    files = sorted(p for p in folder.iterdir() if f"-{split}.array_record" in p.name)
    stats = [[p.name, p.stat().st_size, p.stat().st_mtime_ns] for p in files]
    described = [(folder / f).read_bytes() for f in ("dataset_info.json", "features.json")]
    name = data.name.removeprefix("tfds:").split(":")[0]
    identity: dict[str, Any] = {
        "name": f"tfds-{name}-{folder.name}",
        "split": split,
        "rows": None if rows is None else hashlib.sha256(rows.tobytes()).hexdigest(),
        "image": image,
        "label": label,
        "described": hashlib.sha256(b"".join(described)).hexdigest(),
        "files": stats,
    }
    flags, names_of_flags = prepared.flags()
    if flags:
        identity["attributes"] = names_of_flags
    count = prepared.splits[split] if rows is None else len(rows)

    def reader() -> Callable[[range], Any]:
        source = _data_source(data, prepared, split, image)

        def read(part: range) -> Any:
            at = list(part) if rows is None else [int(r) for r in rows[part.start : part.stop]]
            try:
                examples = source.__getitems__(at)
            except Exception as e:  # array_record has no error type of its own
                raise _cannot(data, f"{folder} cannot be read", e) from e
            names = [f"{data.name} {split}[{i}]" for i in at]
            further = {"label": np.array([e[label] for e in examples], np.int32)} if label else {}
            if flags:
                values = [[e[flags][name] for name in names_of_flags] for e in examples]
                further["attributes"] = np.array(values, np.uint8)
            return [e[image] for e in examples], names, further

        return read

    return decoded(data, identity, count, reader, f"{name} {split}")


def _data_source(data: ConfigDict, prepared: Prepared, split: str, image: str = "") -> Any:
    """Opens TFDS's random-access source; the feature `image` stays encoded."""
    import tensorflow_datasets as tfds

    # TFDS decodes an image in about 0.5 ms; Pillow alone takes a tenth of that.
    decoders = {image: tfds.decode.SkipDecoding()} if image else None
    try:
        builder = tfds.builder_from_directory(prepared.folder)
        return builder.as_data_source(split, decoders=decoders)
    except Exception as e:
        raise _cannot(data, f"{prepared.folder} cannot be read", e) from e


def _prepare(data: ConfigDict, root: Path) -> Path:
    """Downloads and prepares a data set by TFDS, which needs TensorFlow; returns its folder."""
    import tensorflow_datasets as tfds

    name = data.name.removeprefix("tfds:")
    try:
        # By its class alone: `tfds.builder` would also read any folder of this name, unchecked.
        match = _NAME.fullmatch(name)
        assert match is not None  # `find` saw to it
        options = {k: v for k in ("config", "version") if (v := match[k])}
        of = tfds.builder_cls(match["name"])
        builder = of(data_dir=root, file_format="array_record", **options)
    except Exception as e:
        raise _cannot(data, "is not known to TFDS", e) from e
    if importlib.util.find_spec("tensorflow") is None:
        raise fail(
            "data.name",
            data.name,
            f"not found below {root}, and preparing it needs TensorFlow: "
            "pip install tensorflow-cpu, or set config.data.dir",
        )
    _require_network(data, root, builder)
    hide_accelerators()
    download = tfds.download.DownloadConfig(manual_dir=data.manual_dir or None)
    try:
        builder.download_and_prepare(download_config=download)
    except Exception as e:  # the network, the disk, a changed file, the data set's own code
        raise _cannot(data, f"could not be prepared in {root}", e) from e
    return Path(builder.data_dir)


def _require_network(data: ConfigDict, root: Path, builder: Any) -> None:
    """Fails at once where a download cannot work: TFDS itself would retry for minutes.

    Only where it is certain: nothing supplied by hand or downloaded before, no proxy, and none of
    the hosts has an address.
    """
    by_hand = Path(data.manual_dir or root / "downloads" / "manual").expanduser()
    urls = map(urlsplit, builder.url_infos)
    hosts = [u.hostname for u in urls if u.hostname and not (by_hand / Path(u.path).name).exists()]
    downloaded = [p for p in root.glob("downloads/**/*") if p.is_file() and ".tmp." not in p.name]
    if not hosts or downloaded or getproxies():
        return
    for host in sorted(set(hosts)):
        with contextlib.suppress(OSError):
            socket.getaddrinfo(host, 443)
            return
    raise fail(
        "data.name",
        data.name,
        f"not found below {root}, and no network to download it (no address of {hosts[0]})",
    )


def hide_accelerators() -> None:
    """Imports TensorFlow blind to GPUs and TPUs: else it takes the memory that JAX needs."""
    import tensorflow as tf

    for kind in ("GPU", "TPU"):
        tf.config.set_visible_devices([], kind)


def _cannot(data: ConfigDict, what: str, error: Exception) -> ConfigError:
    message = f"{what} ({type(error).__name__}: {files.reason(error)})"
    return fail("data.name", data.name, message)
