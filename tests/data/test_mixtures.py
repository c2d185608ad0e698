import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.config import ConfigError
from genjax.data.toy import mixtures

KEY = jax.random.key(0)


def drawn(name, first_step=0, steps=50, shape=(4, 100)):
    train = mixtures.load(name).train
    plan = jax.jit(train.plan, static_argnums=(2, 3))(
        KEY, train.cursor(first_step, shape), steps, shape
    )
    return np.asarray(jax.vmap(lambda x: train.fetch(train.arrays, x))(plan)["x"])


@pytest.mark.parametrize("name,number", [("ring", 8), ("grid", 25)])
def test_centers_are_distinct_and_as_published(name, number):
    c = mixtures.centers(name)
    assert c.shape == (number, 2) and len(np.unique(c.round(5), axis=0)) == number
    if name == "ring":
        np.testing.assert_allclose(np.linalg.norm(c, axis=1), 1, rtol=1e-6)
        gaps = np.linalg.norm(c - np.roll(c, 1, axis=0), axis=1)
        np.testing.assert_allclose(gaps, 2 * np.sin(np.pi / 8), rtol=1e-5)
    else:
        assert set(c.ravel()) == {-4, -2, 0, 2, 4}


@pytest.mark.parametrize("name", ["ring", "grid"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_draws_follow_the_mixture(name, split):
    data = mixtures.load(name)
    x = drawn(name).reshape(-1, 2) if split == "train" else data.test.arrays["x"]
    assert x.dtype == np.float32
    c, sigma = mixtures.centers(name), mixtures.SIGMA[name]
    distance = np.linalg.norm(x[:, None] - c[None], axis=-1)
    mode, nearest = distance.argmin(1), distance.min(1)
    assert nearest.max() < 6 * sigma
    np.testing.assert_allclose(np.sqrt((nearest**2).mean() / 2), sigma, rtol=0.03)
    share = np.bincount(mode, minlength=len(c)) / len(x)
    tolerance = 5 * np.sqrt(1 / len(c) / len(x))
    np.testing.assert_allclose(share, 1 / len(c), atol=tolerance)
    spec = data.spec
    standardized = (x - spec.center) / spec.scale
    np.testing.assert_allclose(standardized.std(axis=0), 1, atol=0.03)
    np.testing.assert_allclose(standardized.mean(axis=0), 0, atol=0.04)


def test_scale_is_the_true_deviation():
    assert mixtures.load("ring").spec.scale == pytest.approx(np.sqrt(0.5 + 0.01**2), rel=1e-6)
    assert mixtures.load("grid").spec.scale == pytest.approx(np.sqrt(8 + 0.05**2), rel=1e-6)


def test_a_step_draws_the_same_wherever_its_chunk_starts():
    whole = drawn("grid", 0, 10, (3, 8))
    assert whole.shape == (10, 3, 8, 2)
    np.testing.assert_array_equal(drawn("grid", 4, 3, (3, 8)), whole[4:7])
    assert len(np.unique(whole.reshape(-1, 2), axis=0)) == 240


def test_members_of_a_population_draw_by_their_own_keys():
    train, keys = mixtures.load("ring").train, jax.vmap(jax.random.key)(jnp.arange(3))
    many = jax.jit(jax.vmap(lambda k: train.plan(k, np.uint32(2), 4, (5,))["x"]))(keys)
    for key, x in zip(keys, many):
        np.testing.assert_allclose(train.plan(key, np.uint32(2), 4, (5,))["x"], x, rtol=1e-6)


def test_the_test_split_is_fixed():
    one, other = (mixtures.load("ring").test for _ in range(2))
    assert one.num_examples == 10_000 and mixtures.load("ring").train.num_examples == 0
    np.testing.assert_array_equal(one.arrays["x"], other.arrays["x"])


def test_unknown_mixture_is_refused():
    with pytest.raises(ConfigError, match=r"data\.name='spiral'.*ring or grid"):
        mixtures.centers("spiral")
