"""Flow matching against NumPy, SciPy's solver, and flows whose solution is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy import integrate, stats

from genjax import losses
from genjax.losses.flow import METHODS

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


@pytest.mark.parametrize("method", METHODS)
def test_integration_converges_to_scipys_at_the_order_of_the_method(method):
    params = np.random.default_rng(0).normal(size=(SIZE, SIZE))
    x = draw()[0]

    def slope(x, time):
        return field(params, x, jnp.broadcast_to(time, len(x)))

    def by_scipy(time, flat):
        return np.asarray(slope(flat.reshape(x.shape), time)).ravel()

    solved = integrate.solve_ivp(by_scipy, (0.1, 0.9), x.ravel(), rtol=1e-10, atol=1e-12)
    expected = solved.y[:, -1].reshape(x.shape)
    errors = []
    for steps in (20, 40):
        y = losses.integrate(slope, x, steps=steps, method=method, start=0.1, end=0.9)
        errors.append(np.abs(y - expected).max())
    order = np.log2(errors[0] / errors[1])
    assert order == pytest.approx({"euler": 1, "heun": 2}[method], abs=0.15)


@pytest.mark.parametrize("method", METHODS)
def test_integration_takes_trees_goes_back_and_is_differentiable(method):
    x = {"a": draw()[0], "b": draw(1)[0]}

    def slope(x, time):
        return jax.tree.map(lambda a: -a + time, x)

    def there(x):
        return losses.integrate(slope, x, steps=400, method=method)

    back = losses.integrate(slope, there(x), steps=400, method=method, start=1.0, end=0.0)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=0.02), back, x)
    gradient = jax.grad(lambda x: there(x)["a"].sum())(x)
    np.testing.assert_allclose(gradient["a"], np.exp(-1), rtol=2e-3)
    np.testing.assert_array_equal(gradient["b"], 0)


def test_a_constant_velocity_is_followed_exactly_in_one_step():
    noise, data, _ = draw()
    x = losses.integrate(lambda x, t: data - noise, noise, steps=1, method="euler")
    np.testing.assert_allclose(x, data, rtol=1e-13)


def test_likelihood_of_a_linear_flow_is_the_gaussians():
    # dx/dt = x A: noise becomes normal with covariance expm(A)^T expm(A).
    from scipy.linalg import expm

    a = 0.5 * np.random.default_rng(2).normal(size=(SIZE, SIZE))
    x = draw()[1]
    expected = stats.multivariate_normal(np.zeros(SIZE), expm(a).T @ expm(a)).logpdf(x)
    values = [
        losses.flow_log_likelihood(
            lambda x, t: x @ a, x, np.broadcast_to(signs, x.shape), steps=200
        )
        for signs in [(1.0, 1.0, 1.0), (1.0, 1.0, -1.0), (1.0, -1.0, 1.0), (-1.0, 1.0, 1.0)]
    ]  # all signs up to a common one: their mean is the exact divergence
    np.testing.assert_allclose(np.mean(values, 0), expected, rtol=1e-4)


def test_images_have_one_likelihood():
    x = draw(shape=(BATCH, 2, 2, 1))[1]
    value = losses.flow_log_likelihood(lambda x, t: -x, x, np.ones_like(x), steps=100)
    expected = stats.norm(scale=np.exp(-1)).logpdf(x).sum((1, 2, 3))
    np.testing.assert_allclose(value, expected, rtol=1e-3)


def test_mistakes_are_told():
    with pytest.raises(ValueError, match=r"data: .*\(B, …\) .*not \(2, 4\)"):
        losses.conditional_path(np.zeros((2, 3)), np.zeros((2, 4)), np.zeros(2))
    with pytest.raises(ValueError, match="method='rk4': must be one of euler, heun"):
        losses.integrate(lambda x, t: x, np.zeros(2), steps=1, method="rk4")
