"""Arrays as a data set: those that a caller has in memory, or those of an `.npz` file."""

from collections.abc import Mapping, Sequence
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
_MOST_CLASSES = 2**16  # a mistake is likelier, and would cost all memory
_KINDS = "images (N, H, W, C), uint8 or floats in [0, 1], or points (N, D), floats"


def named(config: ConfigDict, given: Any) -> ConfigDict:
    """Returns the config of a run on the arrays that are `given`; itself without any."""
    if given is None:
        return config
    config = config.copy_and_resolve_references().unlock()
    config.data.name = NAME
    return config.lock()


def load(data: ConfigDict, given: Mapping[str, Any] | None = None) -> Dataset:
    """Makes images or points of the arrays of `npz:FILE`, or of those that are `given`.

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
    train = _split(given, where, ("label", "test"))
    found = {}
    if isinstance(given, Mapping) and given.get("test") is not None:
        test = _split(given["test"], f"{where}: test", ("label",))
    else:
        train, test = _divided(train, data.test_fraction)
        each = " of each class" if "label" in train else ""
        found["source"] = f"test split a fixed {100 * data.test_fraction:g} %{each}"
    if _rows(train) != _rows(test):
        raise ConfigError(f"{where}: test has {_rows(test)}; must be as training, {_rows(train)}")
    found["checksum"] = checksum_of_arrays(train, test)
    labels = [split["label"].max() for split in (train, test) if "label" in split]
    spec = _spec(data, train["x"], int(max(labels, default=-1)) + 1, where)
    return Dataset(spec, _source(data, train), _source(data, test), found=found)


def _read(data: ConfigDict) -> dict[str, Any]:
    path = Path(data.name.removeprefix(_FILE)).expanduser()
    if not path.exists():
        raise fail("data.name", data.name, "no such file; must be npz:FILE, as np.savez writes it")
    found = read_npz(path, f"config.data.name={data.name!r}")
    test = {name: found.pop(f"test_{name}") for name in ("x", "label") if f"test_{name}" in found}
    return found | ({"test": test} if test else {})


def _split(given: Any, where: str, optional: Sequence[str]) -> dict[str, np.ndarray]:
    """Copies of a split's arrays, as the caller may change theirs: uint8 or float32, and int32."""
    if not isinstance(given, Mapping) or not {"x"} <= given.keys() <= {"x", *optional}:
        names = ", ".join(map(str, given)) if isinstance(given, Mapping) else type(given).__name__
        allowed = f"must be a dict of x and, if there are any, {' and '.join(optional)}"
        raise ConfigError(f"{where}: is {names or 'empty'}; {allowed}")
    x = _examples(_array(given["x"], f"{where}: x"), f"{where}: x")
    if given.get("label") is None:
        return {"x": x}
    label, name = _array(given["label"], f"{where}: label"), f"{where}: label"
    if label.shape != x.shape[:1] or label.dtype.kind not in "iu":
        message = f"must be whole numbers ({len(x)},), one for each example"
        raise ConfigError(f"{name}: is {label.dtype} {label.shape}; {message}")
    if not 0 <= label.min() <= label.max() < _MOST_CLASSES:
        wrong = label.min() if label.min() < 0 else label.max()
        raise ConfigError(f"{name}: has {wrong}; must be in 0 … {_MOST_CLASSES - 1}")
    return {"x": x, "label": label.astype(np.int32)}


def _array(value: Any, name: str) -> np.ndarray:
    try:
        return np.asarray(value)
    except Exception as error:  # of rows of different lengths, of tensors on a device, …
        raise ConfigError(f"{name}: is no array ({type(error).__name__})") from error


def _examples(x: np.ndarray, name: str) -> np.ndarray:
    floats = np.issubdtype(x.dtype, np.floating)
    if not (floats and x.ndim in (2, 4)) and not (x.dtype == np.uint8 and x.ndim == 4):
        tokens = "; tokens come from texts, data.name=text:FILE" if x.dtype.kind in "iu" else ""
        raise ConfigError(f"{name}: is {x.dtype} {x.shape}; must be {_KINDS}{tokens}")
    if 0 in x.shape:
        raise ConfigError(f"{name}: is empty, {x.shape}")
    x = np.array(x, np.float32 if floats else np.uint8, order="C")
    if floats:
        image = x.ndim == 4
        within = (x >= 0) & (x <= 1) if image else np.isfinite(x)
        if not within.all():
            allowed = "must be in [0, 1], or uint8" if image else "must be finite"
            raise ConfigError(f"{name}: has {x[~within][0]:g}; {allowed}")
    return x


def _divided(arrays: dict[str, np.ndarray], fraction: float) -> tuple[Any, Any]:
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
            raise ConfigError(f"{where}: x: has one value, {center:g}; must vary")
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


def _rows(arrays: Mapping[str, np.ndarray]) -> str:
    return " and ".join(f"{name} {a.dtype} {a.shape[1:]}" for name, a in arrays.items())
