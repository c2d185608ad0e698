"""Fashion-MNIST's training pictures, where TFDS has them: rows of heads depend on real pixels."""

import os
from pathlib import Path

import numpy as np

from benchmarks.harness.sides import ROOT

CLASSES = 10


def folder() -> Path:
    """Returns where the data set lies: below GENJAX_TEST_DATA, or ../shared/data."""
    root = os.environ.get("GENJAX_TEST_DATA") or ROOT.parent / "shared" / "data"
    return Path(root) / "tfds" / "fashion_mnist"


def pixels(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Reads the first `number` pictures, (N, 784) in 0 … 1, and their labels, int32."""
    import tensorflow_datasets as tfds

    source = tfds.data_source("fashion_mnist", split="train", data_dir=folder().parent)
    examples = [source[i] for i in range(number)]
    x = np.stack([example["image"].reshape(-1) for example in examples])
    y = np.array([example["label"] for example in examples], np.int32)
    return x.astype(np.float32) / 255, y
