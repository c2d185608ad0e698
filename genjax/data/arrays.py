"""Arrays as a data set: those that a caller has in memory, or those of an `.npz` file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from genjax.core.arrays import read_npz
from genjax.core.config import ConfigError, fail
from genjax.core.family import DataSpec
from genjax.data.cache import checksum_of_arrays
from genjax.data.in_memory import Resident
from genjax.data.shuffle import held_out
from genjax.data.source import Dataset, Source

NAME = "arrays"  # `data.name` of what is in memory
_FILE = "npz:"
_KINDS = "images (N, H, W, C), uint8 or floats in [0, 1], or points (N, D), floats"


def named(config: ConfigDict, given: Any) -> ConfigDict:
    """The config of a run on the arrays that are `given`; itself where there are none."""
    if given is None:
        return config
    config = config.copy_and_resolve_references().unlock()
    config.data.name = NAME
    return config.lock()


def load(data: ConfigDict, given: Mapping[str, Any] | None = None) -> Dataset:
    """The arrays of `npz:FILE`, or those that are `given`, as images or points.

    `x` are images (N, H, W, C), uint8 or floats in [0, 1], or points (N, D), floats. `label` (N,),
    whole numbers from 0, may be there. `test` is a dict of the same for the test split, which a
    file has as `test_x` and `test_label`. Without it `data.test_fraction` is held out: of each
    class as many in a fixed random order, as of the digits.

    Raises:
      ConfigError: no such file, or it is no file of arrays; they are of other names, types, shapes
        or values; none are given.
    """
    where = f"config.data.name={data.name!r}"
    if data.name.startswith(_FILE):
        given = _read(data)
    elif given is None:
        raise ConfigError(
            f"{where}: were arrays in memory: hand them to genjax.train or genjax.load, data=…, or "
            "write them by np.savez and use npz:FILE"
        )
    else:
        where = "data"
    splits = _splits(given, where)
    train, test = splits if len(splits) == 2 else _divided(splits[0], data.test_fraction)
    if _rows(train) != _rows(test):
        raise ConfigError(f"{where}: test has {_told(test)}; must be as training, {_told(train)}")
    classes = max((int(s["label"].max()) + 1 for s in (train, test) if "label" in s), default=0)
    found = {"checksum": checksum_of_arrays(train, test)}
    if len(splits) == 1:
        each = " of each class" if classes else ""
        found["source"] = f"test split a fixed {100 * data.test_fraction:g} %{each}"
    sources = (_source(data, train), _source(data, test))
    return Dataset(_spec(data, train["x"], classes, where), *sources, found=found)


def _read(data: ConfigDict) -> dict[str, Any]:
    path = Path(data.name.removeprefix(_FILE)).expanduser()
    if not path.exists():
        raise fail("data.name", data.name, "no such file; must be npz:FILE, as np.savez writes it")
    found = read_npz(path, f"config.data.name={data.name!r}")
    test = {name: found.pop(f"test_{name}") for name in ("x", "label") if f"test_{name}" in found}
    return found | ({"test": test} if test else {})


def _splits(given: Any, where: str) -> list[dict[str, np.ndarray]]:
    """The given training split, and the test split if there is one, checked each by itself."""
    if not isinstance(given, Mapping) or not isinstance(given.get("test", {}), Mapping):
        raise ConfigError(f"{where}: must be a dict of arrays, x and label, and of test, the same")
    found = []
    for prefix, split in (("", given), ("test ", given.get("test"))):
        if split is None:
            continue
        known = {"x", "label"} | ({"test"} if not prefix else set())
        if "x" not in split or split.keys() - known:
            names = ", ".join(map(str, split)) or "nothing"
            message = f"{prefix}has {names}; must be x, and may be label and test"
            raise ConfigError(f"{where}: {message}")
        arrays = {"x": _examples(split["x"], f"{where}: {prefix}x")}
        if split.get("label") is not None:
            name = f"{where}: {prefix}label"
            arrays["label"] = _labels(split["label"], name, len(arrays["x"]))
        found.append(arrays)
    return found


def _array(value: Any, name: str) -> np.ndarray:
    try:
        found = np.asarray(value)
    except Exception as error:  # of rows of different lengths, of tensors on a device, …
        raise ConfigError(f"{name}: is no array ({type(error).__name__})") from error
    return found


def _examples(value: Any, name: str) -> np.ndarray:
    """A copy, as the caller may go on with his: uint8, or float32."""
    x = _array(value, name)
    floats = np.issubdtype(x.dtype, np.floating)
    if not (floats and x.ndim in (2, 4)) and not (x.dtype == np.uint8 and x.ndim == 4):
        tokens = "; tokens come from texts, data.name=text:FILE" if x.dtype.kind in "iu" else ""
        raise ConfigError(f"{name}: is {x.dtype} {x.shape}; must be {_KINDS}{tokens}")
    if len(x) < 2 or 0 in x.shape:
        raise ConfigError(f"{name}: has shape {x.shape}; must hold at least two examples")
    x = np.array(x, np.float32 if floats else np.uint8, order="C")
    least, most = (0, 1) if x.ndim == 4 else (-np.inf, np.inf)
    if floats and not (np.isfinite(x).all() and x.min() >= least and x.max() <= most):
        wrong = x[~(np.isfinite(x) & (x >= least) & (x <= most))][0]
        allowed = "must be in [0, 1], or uint8" if x.ndim == 4 else "must be finite"
        raise ConfigError(f"{name}: has {wrong:g}; {allowed}")
    return x


def _labels(value: Any, name: str, number: int) -> np.ndarray:
    label = _array(value, name)
    if label.shape != (number,) or label.dtype.kind not in "iu":
        message = f"must be whole numbers ({number},), one for each example"
        raise ConfigError(f"{name}: is {label.dtype} {label.shape}; {message}")
    if label.min() < 0 or label.max() >= number:
        wrong = label.min() if label.min() < 0 else label.max()
        raise ConfigError(f"{name}: has {wrong}; must be in 0 … N - 1, with N={number} examples")
    return label.astype(np.int32)


def _divided(arrays: dict[str, np.ndarray], fraction: float) -> tuple[dict, dict]:
    test = held_out(arrays.get("label", np.zeros(len(arrays["x"]), np.int32)), fraction)
    if test.all():
        raise fail("data.test_fraction", fraction, "leaves no example to train on")
    train, rest = ({n: a[rows] for n, a in arrays.items()} for rows in (~test, test))
    return train, rest


def _spec(data: ConfigDict, x: np.ndarray, classes: int, where: str) -> DataSpec:
    shape = x.shape[1:]
    if x.ndim == 2:
        center, scale = float(x.mean(dtype=np.float64)), float(x.std(dtype=np.float64))
        if not scale:
            raise ConfigError(f"{where}: x has one value, {center:g}; must vary")
        return DataSpec("point", shape, classes, center, scale)
    for field, sizes in (("image_size", shape[:2]), ("channels", shape[2:])):
        if data[field] and {data[field]} != {*sizes}:
            message = f"arrays are taken as they are, {'x'.join(map(str, shape))}; must be 0"
            raise fail(f"data.{field}", data[field], message)
    return DataSpec("image", shape, classes)


def _source(data: ConfigDict, arrays: dict[str, np.ndarray]) -> Source:
    if sum(a.nbytes for a in arrays.values()) <= data.device_limit_mb * 2**20:
        return Resident(arrays)
    from genjax.data.streaming import Streamed  # only here: it imports grain

    return Streamed(arrays)


def _rows(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Types and shapes of a split's rows."""
    return {name: (a.dtype, a.shape[1:]) for name, a in arrays.items()}


def _told(arrays: Mapping[str, np.ndarray]) -> str:
    return " and ".join(f"{name} {a.dtype} {a.shape}" for name, a in arrays.items())
