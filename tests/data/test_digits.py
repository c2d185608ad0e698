import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.datasets import load_digits

from genjax import data
from genjax.core.config import ConfigError, base
from genjax.core.family import DataSpec


def load(**changes):
    section = base().data
    section.update(changes)
    return data.load(section)


def everything(source):
    batch = source.fetch(source.arrays, jnp.arange(source.num_examples))
    return np.asarray(batch["x"]), np.asarray(batch["label"])


def test_pixels_are_exactly_sixteenths_of_sklearns_and_nothing_is_lost():
    digits = load()
    assert digits.spec == DataSpec("image", (8, 8, 1), 10)
    parts = [everything(s) for s in (digits.train, digits.test)]
    x = np.concatenate([p[0] for p in parts]).reshape(-1, 64)
    label = np.concatenate([p[1] for p in parts])
    want_x, want_label = load_digits(return_X_y=True)
    assert x.dtype == np.float32 and x.min() == 0 and x.max() == 1
    got = np.lexsort(np.column_stack([x, label]).T)
    want = np.lexsort(np.column_stack([want_x / 16, want_label]).T)
    np.testing.assert_array_equal(x[got], (want_x / 16).astype(np.float32)[want])
    np.testing.assert_array_equal(label[got], want_label[want])


def test_split_is_stratified_and_fixed():
    digits, again = load(test_fraction=0.2), load(test_fraction=0.2)
    label = digits.test.arrays["label"]
    total = np.bincount(np.concatenate([label, digits.train.arrays["label"]]))
    np.testing.assert_array_equal(np.bincount(label), np.round(0.2 * total))
    np.testing.assert_array_equal(digits.test.arrays["x"], again.test.arrays["x"])


def test_a_larger_test_fraction_holds_the_smaller_ones_examples():
    rows = [{r.tobytes() for r in load(test_fraction=f).test.arrays["x"]} for f in (0.1, 0.3)]
    assert rows[0] < rows[1]


def test_resized_and_colored():
    digits = load(image_size=32, channels=3)
    assert digits.spec.shape == (32, 32, 3)
    x, label = everything(digits.test)
    assert x.min() >= 0 and 0.9 < x.max() <= 1
    np.testing.assert_array_equal(x[..., 0], x[..., 2])
    small, small_label = everything(load().test)
    np.testing.assert_array_equal(label, small_label)
    means = x.reshape(len(x), 8, 4, 8, 4, 3).mean((2, 4, 5))
    assert np.abs(means - small[..., 0]).mean() < 0.06


def test_splits_without_training_examples_are_refused():
    with pytest.raises(ConfigError, match=r"data\.test_fraction=0\.999"):
        load(test_fraction=0.999)


def test_reading_them_imports_neither_sklearn_nor_pillow():
    code = (
        "import sys; from genjax import data; from genjax.core.config import base\n"
        "data.load(base().data)\n"
        "print([m for m in ('sklearn', 'PIL', 'grain', 'tensorflow_datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("name", ["digit", "", "tfds:", "images:", "ring:8", "text:"])
def test_unknown_names_are_refused_with_the_known_ones(name):
    with pytest.raises(ConfigError, match=f"config.data.name='{name}'.*digits, ring, grid") as e:
        load(name=name)
    assert "\n" not in str(e.value)
