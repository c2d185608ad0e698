"""Flow matching against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from genjax import losses

BATCH, SIZE = 6, 3


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def draw(seed=0, shape=(BATCH, SIZE)):
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape), rng.normal(size=shape), rng.uniform(size=shape[0])


def field(params, x, time_B):
    return jnp.tanh(x @ params) * jnp.cos(3 * time_B)[:, None]


@pytest.mark.parametrize("sigma_min", [0.0, 0.1])
def test_paths_begin_in_noise_end_in_data_and_have_their_slope(sigma_min):
    noise, data, time = draw(shape=(BATCH, 2, 2, 1))

    def at(time):
        return losses.conditional_path(noise, data, time, sigma_min=sigma_min)

    ends = [at(np.full(BATCH, t))[0] for t in (0.0, 1.0)]
    np.testing.assert_allclose(ends[0], noise, rtol=1e-14)
    np.testing.assert_allclose(ends[1], data + sigma_min * noise, rtol=1e-12)
    (_, velocity), (slope, _) = jax.jvp(at, (time,), (np.ones(BATCH),))
    np.testing.assert_allclose(slope, velocity, rtol=1e-12)


def test_loss_equals_numpys_and_its_gradient_finite_differences():
    noise, data, time = draw()
    params = np.random.default_rng(3).normal(size=(SIZE, SIZE))
    x = (1 - 0.9 * time[:, None]) * noise + time[:, None] * data
    v = np.tanh(x @ params) * np.cos(3 * time)[:, None]
    expected = ((v - (data - 0.9 * noise)) ** 2).mean(1)

    def loss(params):
        return losses.flow_matching_loss(
            lambda x, t: field(params, x, t), noise, data, time, sigma_min=0.1
        )

    value = loss(params)
    assert value.shape == (BATCH,)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    check_grads(lambda p: loss(p).mean(), (params,), order=2)


def test_examples_do_not_mix_and_bfloat16_is_reduced_in_float32():
    noise, data, time = (jnp.bfloat16(a) for a in draw(shape=(2, 5000)))
    value = losses.flow_matching_loss(lambda x, t: 0 * x, noise, data, time)
    assert value.dtype == jnp.float32
    exact = jnp.square((data - noise).astype(jnp.float32)).mean(1)
    np.testing.assert_allclose(value, exact, rtol=1e-5)
    one = losses.flow_matching_loss(lambda x, t: 0 * x, noise[1:], data[1:], time[1:])
    np.testing.assert_allclose(one, value[1:], rtol=1e-5)
