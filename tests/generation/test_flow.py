"""Samples and likelihoods of velocity fields: SciPy's solver, and flows whose solution is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from genjax.generation.flow import METHODS, flow_log_likelihood, integrate

BATCH, SIZE = 6, 3


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def draw(seed=0, shape=(BATCH, SIZE)):
    return np.random.default_rng(seed).normal(size=(2, *shape))


def field(params, x, time_B):
    return jnp.tanh(x @ params) * jnp.cos(3 * time_B)[:, None]


@pytest.mark.parametrize("method", METHODS)
def test_integration_converges_to_scipys_at_the_order_of_the_method(method):
    params = np.random.default_rng(0).normal(size=(SIZE, SIZE))
    x = draw()[0]

    def slope(x, time):
        return field(params, x, jnp.broadcast_to(time, len(x)))

    def by_scipy(time, flat):
        return np.asarray(slope(flat.reshape(x.shape), time)).ravel()

    solved = solve_ivp(by_scipy, (0.1, 0.9), x.ravel(), rtol=1e-10, atol=1e-12)
    expected = solved.y[:, -1].reshape(x.shape)
    errors = []
    for steps in (20, 40):
        y = integrate(slope, x, steps=steps, method=method, start=0.1, end=0.9)
        errors.append(np.abs(y - expected).max())
    order = np.log2(errors[0] / errors[1])
    assert order == pytest.approx({"euler": 1, "heun": 2}[method], abs=0.15)


@pytest.mark.parametrize("method", METHODS)
def test_integration_takes_trees_goes_back_and_is_differentiable(method):
    x = {"a": draw()[0], "b": draw(1)[0]}

    def slope(x, time):
        return jax.tree.map(lambda a: -a + time, x)

    def there(x):
        return integrate(slope, x, steps=400, method=method)

    back = integrate(slope, there(x), steps=400, method=method, start=1.0, end=0.0)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=0.02), back, x)
    gradient = jax.grad(lambda x: there(x)["a"].sum())(x)
    np.testing.assert_allclose(gradient["a"], np.exp(-1), rtol=2e-3)
    np.testing.assert_array_equal(gradient["b"], 0)


def test_a_constant_velocity_is_followed_exactly_in_one_step():
    noise, data = draw()
    x = integrate(lambda x, t: data - noise, noise, steps=1, method="euler")
    np.testing.assert_allclose(x, data, rtol=1e-13)


def test_likelihood_of_a_linear_flow_is_the_gaussians():
    # dx/dt = x A: noise becomes normal with covariance expm(A)^T expm(A).
    a = 0.5 * np.random.default_rng(2).normal(size=(SIZE, SIZE))
    x = draw()[1]
    expected = stats.multivariate_normal(np.zeros(SIZE), expm(a).T @ expm(a)).logpdf(x)
    values = [
        flow_log_likelihood(lambda x, t: x @ a, x, np.broadcast_to(signs, x.shape), steps=200)
        for signs in [(1.0, 1.0, 1.0), (1.0, 1.0, -1.0), (1.0, -1.0, 1.0), (-1.0, 1.0, 1.0)]
    ]  # all signs up to a common one: their mean is the exact divergence
    np.testing.assert_allclose(np.mean(values, 0), expected, rtol=1e-4)


def test_images_have_one_likelihood():
    x = draw(shape=(BATCH, 2, 2, 1))[1]
    value = flow_log_likelihood(lambda x, t: -x, x, np.ones_like(x), steps=100)
    expected = stats.norm(scale=np.exp(-1)).logpdf(x).sum((1, 2, 3))
    np.testing.assert_allclose(value, expected, rtol=1e-3)


X, PROBE = np.zeros((4, 2)), np.ones((4, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 0}, "steps=0: must be at least 1"),
        ({"steps": 2.0}, "steps=2.0: must be a whole number"),
        ({"method": "rk4"}, "method='rk4': must be one of euler, heun"),
        ({"field": lambda x, t: x[:1]}, r"field\(x, time\): must have the shape of x, \(4, 2\)"),
        ({"field": lambda x, t: (x, x)}, r"field\(x, time\): must have the structure of x"),
        ({"end": np.nan}, "end=nan: must be finite"),
    ],
)
def test_what_cannot_be_integrated_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        integrate(**({"field": lambda x, t: -x, "x": X, "steps": 2} | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probe": PROBE[:, :1]}, r"probe: must have shape \(B, …\)"),
        ({"velocity": lambda x, t: x[:1]}, r"velocity\(x, time\): must have the shape of x"),
    ],
)
def test_what_has_no_likelihood_is_refused_by_name(change, message):
    right = {"velocity": lambda x, t: x, "data": X, "probe": PROBE, "steps": 2}
    with pytest.raises(ValueError, match=message):
        flow_log_likelihood(**(right | change))
