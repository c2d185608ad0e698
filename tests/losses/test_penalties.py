"""Penalties on the critic's input gradient against float64 NumPy and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from genjax import losses

BATCH, FEATURES, HIDDEN = 5, 3, 4
SETTINGS = [
    {"target": 1.0, "one_sided": False},
    {"target": 0.3, "one_sided": False},
    {"target": 0.0, "one_sided": False},
    {"target": 0.5, "one_sided": True},
]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def make_params(seed=0):
    rng = np.random.default_rng(seed)
    shapes = {"w": (FEATURES, HIDDEN), "b": (HIDDEN,), "v": (HIDDEN,)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def points(seed=1):
    return np.random.default_rng(seed).normal(size=(BATCH, FEATURES))


def critic(params, x):
    return jnp.tanh(x @ params["w"] + params["b"]) @ params["v"]


def penalty_by_hand(params, x, target, one_sided):
    """With D(x) = v . tanh(W'x + b), grad D = W (v * (1 - tanh^2)): NumPy, no derivatives."""
    gradient = ((1 - np.tanh(x @ params["w"] + params["b"]) ** 2) * params["v"]) @ params["w"].T
    excess = np.sqrt((gradient**2).sum(1) + 1e-12) - target
    return (np.maximum(excess, 0) if one_sided else excess) ** 2


def finite_differences(f, params, step=1e-6):
    gradient = {name: np.zeros_like(p) for name, p in params.items()}
    for name, p in params.items():
        for i in np.ndindex(p.shape):
            ends = []
            for sign in (1, -1):
                moved = {n: q.copy() for n, q in params.items()}
                moved[name][i] += sign * step
                ends.append(f(moved))
            gradient[name][i] = (ends[0] - ends[1]) / (2 * step)
    return gradient


def penalty(params, x, formulation="reverse_over_reverse", **settings):
    return losses.input_gradient_penalty(
        lambda inputs: critic(params, inputs), x, formulation=formulation, **settings
    )


@pytest.mark.parametrize("formulation", losses.FORMULATIONS)
@pytest.mark.parametrize("settings", SETTINGS)
def test_penalty_equals_the_one_derived_by_hand(settings, formulation):
    params, x = make_params(), points()
    value = penalty(params, x, formulation, **settings)
    assert value.shape == (BATCH,) and value.dtype == jnp.float64
    np.testing.assert_allclose(value, penalty_by_hand(params, x, **settings), rtol=1e-12)


@pytest.mark.parametrize("formulation", losses.FORMULATIONS)
@pytest.mark.parametrize("settings", SETTINGS)
def test_parameter_gradient_of_the_penalty_equals_finite_differences(settings, formulation):
    params, x = make_params(), points()
    gradient = jax.grad(lambda p: penalty(p, x, formulation, **settings).mean())(params)
    expected = finite_differences(lambda p: penalty_by_hand(p, x, **settings).mean(), params)
    for name in params:
        np.testing.assert_allclose(gradient[name], expected[name], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("settings", SETTINGS)
def test_both_formulations_equal_the_vmapped_oracle(settings):
    params, x = make_params(2), points(3)

    def oracle(params, x):
        def one(x):
            gradient = jax.grad(lambda x: critic(params, x[None])[0])(x)
            excess = jnp.sqrt((gradient**2).sum() + 1e-12) - settings["target"]
            return (jnp.maximum(excess, 0) if settings["one_sided"] else excess) ** 2

        return jax.vmap(one)(x).mean()

    value, gradient = jax.value_and_grad(oracle, (0, 1))(params, x)
    for formulation in losses.FORMULATIONS:
        actual, actual_gradient = jax.value_and_grad(
            lambda p, x, f=formulation: penalty(p, x, f, **settings).mean(), (0, 1)
        )(params, x)
        np.testing.assert_allclose(actual, value, rtol=1e-13)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14),
            actual_gradient, gradient,
        )  # fmt: skip


def test_penalty_passes_check_grads():
    x = points()
    # Forward mode as well; the forward formulation has stopped parts and is reverse only.
    check_grads(lambda p: penalty(p, x).mean(), (make_params(),), order=1, modes=("fwd", "rev"))
    check_grads(lambda x: penalty(make_params(), x).mean(), (x,), order=1, modes=("rev",))


@pytest.mark.parametrize("formulation", losses.FORMULATIONS)
def test_a_critic_that_is_flat_has_finite_gradients(formulation):
    zero = jax.tree.map(np.zeros_like, make_params())
    for params in (zero, zero | {"v": make_params()["v"]}, zero | {"w": make_params()["w"]}):
        value, gradient = jax.value_and_grad(lambda p: penalty(p, points(), formulation).mean())(
            params
        )
        np.testing.assert_allclose(value, 1.0, atol=1e-5)
        assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))


@pytest.mark.parametrize("formulation", losses.FORMULATIONS)
def test_one_sided_costs_nothing_below_the_target(formulation):
    value, gradient = jax.value_and_grad(
        lambda p: penalty(p, points(), formulation, target=100.0, one_sided=True).sum()
    )(make_params())
    assert value == 0
    assert all((g == 0).all() for g in jax.tree.leaves(gradient))


@pytest.mark.parametrize("formulation", losses.FORMULATIONS)
def test_penalties_of_examples_do_not_mix(formulation):
    params, x = make_params(), points()
    whole = penalty(params, x, formulation)
    each = [penalty(params, x[i : i + 1], formulation)[0] for i in range(BATCH)]
    np.testing.assert_allclose(whole, each, rtol=1e-12)
    jacobian = jax.jacrev(lambda x: penalty(params, x, formulation))(x)
    for i in range(BATCH):
        for j in range(BATCH):
            assert i == j or (jacobian[i, j] == 0).all()


@pytest.mark.parametrize("formulation", losses.FORMULATIONS)
def test_penalty_can_be_vmapped_over_critics(formulation):
    params = [make_params(seed) for seed in range(3)]
    stacked = jax.tree.map(lambda *p: np.stack(p), *params)
    x = points()
    together = jax.vmap(lambda p: penalty(p, x, formulation))(stacked)
    for i, p in enumerate(params):
        np.testing.assert_allclose(together[i], penalty(p, x, formulation), rtol=1e-12)


@pytest.mark.parametrize("formulation", losses.FORMULATIONS)
def test_images_have_one_norm_over_all_axes(formulation):
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 2))
    weight = np.random.default_rng(1).normal(size=(4, 3, 2))
    value = losses.input_gradient_penalty(
        lambda x: (x * weight).sum((1, 2, 3)), x, formulation=formulation
    )
    np.testing.assert_allclose(value, [(np.linalg.norm(weight) - 1) ** 2] * 2, rtol=1e-9)


@pytest.mark.parametrize("formulation", losses.FORMULATIONS)
def test_bfloat16_is_reduced_in_float32(formulation):
    # 4,096 equal slopes of 2**-6: the sum of squares is 1; bfloat16 would stop adding at 2**-4.
    x = jnp.zeros((2, 4096), jnp.bfloat16)
    slope = jnp.full(4096, 2.0**-6, jnp.bfloat16)
    value = losses.input_gradient_penalty(
        lambda x: (x * slope).sum(-1, dtype=jnp.float32).astype(jnp.bfloat16), x,
        target=0.0, formulation=formulation,
    )  # fmt: skip
    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, 1.0, rtol=1e-6)
    norm = losses.input_gradient_norm(lambda x: (x * slope).sum(-1), x)
    assert norm.dtype == jnp.float32
    np.testing.assert_allclose(norm, 1.0, rtol=1e-6)


def test_gradient_penalty_lies_on_the_lines_between_pairs():
    params, rng = make_params(), np.random.default_rng(5)
    real, fake = rng.normal(size=(2, BATCH, FEATURES))
    weight = rng.uniform(size=BATCH)
    value = losses.gradient_penalty(lambda x: critic(params, x), real, fake, weight, target=0.7)
    x = weight[:, None] * real + (1 - weight[:, None]) * fake
    np.testing.assert_allclose(value, penalty_by_hand(params, x, 0.7, False), rtol=1e-10)


def test_interpolation_ends_at_the_pair():
    real, fake = np.ones((3, 2, 2)), np.zeros((3, 2, 2))
    x = losses.interpolate(real, fake, np.array([0.0, 0.25, 1.0]))
    np.testing.assert_array_equal(x[:, 0, 0], [0.0, 0.25, 1.0])


def squared_norm_by_hand(params, x):
    gradient = ((1 - np.tanh(x @ params["w"] + params["b"]) ** 2) * params["v"]) @ params["w"].T
    return (gradient**2).sum(1)


def zero_centered(params, x, formulation="reverse_over_reverse"):
    return losses.r1_penalty(lambda inputs: critic(params, inputs), x, formulation=formulation)


@pytest.mark.parametrize("formulation", losses.FORMULATIONS)
def test_zero_centered_penalty_is_half_the_squared_norm(formulation):
    params, x = make_params(), points()
    value = zero_centered(params, x, formulation)
    np.testing.assert_allclose(value, squared_norm_by_hand(params, x) / 2, rtol=1e-12)
    gradient = jax.grad(lambda p: zero_centered(p, x, formulation).mean())(params)
    expected = finite_differences(lambda p: squared_norm_by_hand(p, x).mean() / 2, params)
    for name in params:
        np.testing.assert_allclose(gradient[name], expected[name], rtol=1e-6, atol=1e-9)


def test_zero_centered_penalty_passes_check_grads():
    check_grads(lambda p: zero_centered(p, points()).mean(), (make_params(),), order=1)


@pytest.mark.parametrize("formulation", losses.FORMULATIONS)
def test_a_flat_critic_costs_nothing_and_is_not_pushed(formulation):
    zero = jax.tree.map(np.zeros_like, make_params())
    value, gradient = jax.value_and_grad(lambda p: zero_centered(p, points(), formulation).mean())(
        zero
    )
    assert value == 0
    assert all((g == 0).all() for g in jax.tree.leaves(gradient))
