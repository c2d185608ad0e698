"""Paths from noise to data, and the regression of their velocities against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import losses

BATCH, SIZE = 6, 3


def draw(*shape):
    rng = np.random.default_rng(0)
    return rng.normal(size=shape), rng.normal(size=shape), rng.uniform(size=shape[0])


@pytest.mark.parametrize("sigma_min", [0.0, 0.1])
def test_paths_begin_in_noise_end_in_data_and_have_their_slope(sigma_min):
    noise, data, time = draw(BATCH, 2, 2, 1)

    def at(time):
        return losses.conditional_path(noise, data, time, sigma_min=sigma_min)

    ends = [at(np.full(BATCH, t))[0] for t in (0.0, 1.0)]
    np.testing.assert_allclose(ends[0], noise, rtol=1e-14)
    np.testing.assert_allclose(ends[1], data + sigma_min * noise, rtol=1e-12)
    (_, velocity), (slope, _) = jax.jvp(at, (time,), (np.ones(BATCH),))
    np.testing.assert_allclose(slope, velocity, rtol=1e-12)


def test_the_loss_is_the_squared_error_of_the_velocity():
    noise, data, time = draw(BATCH, SIZE)
    params = np.random.default_rng(3).normal(size=(SIZE, SIZE))
    x = (1 - 0.9 * time[:, None]) * noise + time[:, None] * data
    v = np.tanh(x @ params) * np.cos(3 * time)[:, None]
    expected = ((v - (data - 0.9 * noise)) ** 2).mean(1)
    value = losses.flow_matching_loss(
        lambda x, t: jnp.tanh(x @ params) * jnp.cos(3 * t)[:, None],
        noise,
        data,
        time,
        sigma_min=0.1,
    )
    np.testing.assert_allclose(value, expected, rtol=1e-12)


def test_bfloat16_is_reduced_in_float32():
    noise, data, time = (jnp.bfloat16(a) for a in draw(2, 5000))
    value = losses.flow_matching_loss(lambda x, t: 0 * x, noise, data, time)
    assert value.dtype == jnp.float32
    exact = jnp.square((data - noise).astype(jnp.float32)).mean(1)
    np.testing.assert_allclose(value, exact, rtol=1e-5)
