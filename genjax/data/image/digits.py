"""The 1,797 handwritten digits (8x8, gray, 17 levels) that ship with scikit-learn."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import ConfigError, fail
from genjax.core.family import DataSpec
from genjax.data.in_memory import Resident
from genjax.data.shuffle import held_out
from genjax.data.source import Dataset

_MAX = 16


def load(data: ConfigDict) -> Dataset:
    """Loads the digits: x float32 (8, 8, 1), exactly value / 16, in [0, 1]; labels 0 … 9.

    The split is fixed and stratified: of each class, `data.test_fraction` of the examples (rounded,
    at least one) in a fixed random order are the test split. With `data.image_size` or
    `data.channels` the pictures are rescaled (to 256 levels).

    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI (1998), test part.
    """
    x, label = _read()
    levels = _MAX
    if data.image_size not in (0, 8) or data.channels == 3:
        x, levels = _rescaled(x, data.image_size, data.channels or 1), 255
    test = held_out(label, data.test_fraction)
    if test.all():
        raise fail("data.test_fraction", data.test_fraction, "leaves no digits to train on")
    train, rest = (Resident({"x": x[rows], "label": label[rows]}, levels) for rows in (~test, test))
    percent = f"{100 * data.test_fraction:g} %"
    return Dataset(
        DataSpec("image", x.shape[1:], num_classes=10),
        train,
        rest,
        labels=tuple("0123456789"),
        found={"source": f"test split a fixed {percent} of each class"},
    )


def _read() -> tuple[np.ndarray, np.ndarray]:
    """Reads images uint8 (1797, 8, 8, 1) with values 0 … 16, and labels int32 (1797,)."""
    # The file alone: importing scikit-learn for it would cost a second of every start.
    spec = importlib.util.find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError("config.data.name='digits': needs scikit-learn: pip install scikit-learn")
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    if path.exists():
        with gzip.open(path) as f:
            table = np.loadtxt(f, delimiter=",", dtype=np.uint8)
        x, label = table[:, :-1], table[:, -1]
    else:
        from sklearn.datasets import load_digits

        x, label = load_digits(return_X_y=True)
    return x.reshape(-1, 8, 8, 1).astype(np.uint8), label.astype(np.int32)


def _rescaled(x: np.ndarray, size: int, channels: int) -> np.ndarray:
    from PIL import Image

    from genjax.data.image.pictures import fit

    gray = np.round(x[..., 0] * (255 / _MAX)).astype(np.uint8)
    return np.stack([fit(Image.fromarray(g), size, channels) for g in gray])
