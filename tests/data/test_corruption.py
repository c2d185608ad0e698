"""Corruption: its kinds, how often, and the same noise on any number of devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.batch import AXIS
from genjax.data.corruption import CORRUPTIONS, corrupt

KEY = jax.random.key(0)
X = 0.25 + 0.5 * jax.random.uniform(jax.random.key(1), (200, 10, 10, 1))  # never 0 or 1


def test_none_is_the_input_itself():
    assert corrupt(X, KEY, "none", 0.9) is X


def test_gaussian_noise_has_its_standard_deviation():
    noise = corrupt(X, KEY, "gaussian", 0.3) - X
    # Of 20,000 draws the mean has a standard error of 0.0021, the deviation one of 0.0015.
    assert abs(noise.mean()) < 5 * 0.0021 and abs(noise.std() - 0.3) < 5 * 0.0015


@pytest.mark.parametrize("level", [0.0, 0.2, 1.0])
def test_masking_erases_its_share_and_leaves_the_rest(level):
    y = corrupt(X, KEY, "masking", level)
    assert ((y == 0) | (y == X)).all()
    assert abs(float((y == 0).mean()) - level) <= 5 * 0.0035 * (0 < level < 1)


@pytest.mark.parametrize("level", [0.0, 0.2, 1.0])
def test_salt_and_pepper_are_equally_many(level):
    y = corrupt(X, KEY, "salt_and_pepper", level)
    assert ((y == 0) | (y == 1) | (y == X)).all()
    for value in (0, 1):
        assert abs(float((y == value).mean()) - level / 2) <= 5 * 0.0035 * (level > 0)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_noise_is_that_of_the_global_batch(kind):
    whole = corrupt(X[:6], KEY, kind, 0.4)
    parts = jax.vmap(lambda x: corrupt(x, KEY, kind, 0.4), axis_name=AXIS)(
        X[:6].reshape(3, 2, 10, 10, 1)
    )
    np.testing.assert_array_equal(parts.reshape(whole.shape), whole)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_shape_and_dtype_stay(kind):
    for x in (X, X.astype(jnp.bfloat16), X[:, 0, 0, 0]):
        y = corrupt(x, KEY, kind, 0.4)
        assert y.shape == x.shape and y.dtype == x.dtype


def test_mistakes_are_told():
    with pytest.raises(ValueError, match="kind='dropout': must be one of none, gaussian"):
        corrupt(X, KEY, "dropout", 0.1)
    with pytest.raises(ValueError, match="key=0: must be a PRNG key"):
        corrupt(X, 0, "gaussian", 0.1)
