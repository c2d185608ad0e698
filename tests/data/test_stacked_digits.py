"""Three digits as the channels of an image."""

import jax
import numpy as np
import pytest

from genjax import data
from genjax.core.config import ConfigError, base
from genjax.data.image import stacked_digits
from genjax.data.source import rows

KEY = jax.random.key(0)


def config(**changes):
    c = base().data
    c.name = "stacked_digits"
    c.update(changes)
    return c


@pytest.fixture(scope="module")
def dataset():
    return data.load(config())


def drawn(dataset, first_step=0, steps=30, shape=(2, 50), key=KEY):
    train = dataset.train
    plan = jax.jit(train.plan, static_argnums=(2, 3))(
        key, train.cursor(first_step, shape), steps, shape
    )
    return jax.device_get(jax.vmap(lambda x: train.fetch(train.arrays, x))(plan))


def test_every_channel_is_a_digit_of_the_training_split_and_the_label_tells_which(dataset):
    digits = stacked_digits.single(config()).train
    label_of = {
        (x / np.float32(16)).tobytes(): y
        for x, y in zip(digits.arrays["x"][..., 0], digits.arrays["label"])
    }
    batch = drawn(dataset, steps=3)
    assert batch["x"].shape == (3, 2, 50, 8, 8, 3) and batch["x"].dtype == np.float32
    assert batch["label"].shape == (3, 2, 50)
    for x, label in zip(batch["x"].reshape(-1, 8, 8, 3), batch["label"].ravel()):
        first, second, third = (label_of[x[..., i].tobytes()] for i in range(3))
        assert label == 100 * first + 10 * second + third


def test_channels_are_independent_and_modes_equally_likely(dataset):
    label = drawn(dataset, steps=200, shape=(500,))["label"].ravel()
    counts = np.bincount(label, minlength=stacked_digits.NUM_MODES)
    assert len(counts) == 1000 and counts.min() > 0
    # Poisson: each count has mean 100 and standard deviation 10.
    np.testing.assert_allclose(counts, 100, atol=55)
    assert abs(counts.std() - 10) < 2


def test_a_step_draws_the_same_wherever_its_chunk_starts(dataset):
    whole, part = drawn(dataset, 0, 10), drawn(dataset, 4, 3)
    np.testing.assert_array_equal(part["x"], whole["x"][4:7])
    other = drawn(dataset, 4, 3, key=jax.random.key(1))
    assert (other["label"] != part["label"]).mean() > 0.9


def test_the_test_split_is_fixed_and_of_held_out_digits(dataset):
    x, label = dataset.test.arrays["x"], dataset.test.arrays["label"]
    assert dataset.test.num_examples == 10_000 and dataset.train.num_examples == 0
    np.testing.assert_array_equal(x, data.load(config()).test.arrays["x"])
    held_out = stacked_digits.single(config()).test.arrays["x"][..., 0]
    known = {digit.tobytes() for digit in held_out}
    assert all(np.ascontiguousarray(one[..., i]).tobytes() in known for one in x for i in range(3))
    assert set(label // 100) == set(label % 10) == set(range(10))
    assert next(rows(dataset.test, 100))["x"].max() == 1.0


def test_pictures_grow(dataset):
    larger = data.load(config(image_size=16))
    assert larger.spec.shape == (16, 16, 3) and dataset.spec.shape == (8, 8, 3)
    assert larger.spec.num_classes == 1000


def test_gray_and_the_split_without_end_are_refused(dataset):
    with pytest.raises(ConfigError, match=r"data\.channels=1.*0 or 3"):
        data.load(config(channels=1))
    with pytest.raises(ConfigError, match="without end"):
        next(rows(dataset.train, 100))
