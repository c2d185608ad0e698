"""Penalties on the critic's input gradient against their closed form for one hidden layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import losses

BATCH, FEATURES, HIDDEN = 5, 3, 4
SETTINGS = [
    {"target": 1.0, "one_sided": False},
    {"target": 0.3, "one_sided": False},
    {"target": 0.0, "one_sided": False},
    {"target": 0.5, "one_sided": True},
]
RNG = np.random.default_rng(0)
SHAPES = {"w": (FEATURES, HIDDEN), "b": (HIDDEN,), "v": (HIDDEN,)}
PARAMS = {name: RNG.normal(size=shape) for name, shape in SHAPES.items()}
ZERO = jax.tree.map(np.zeros_like, PARAMS)
X = RNG.normal(size=(BATCH, FEATURES))
every_formulation = pytest.mark.parametrize("formulation", losses.FORMULATIONS)


def critic(params, x):
    return jnp.tanh(x @ params["w"] + params["b"]) @ params["v"]


def squared_norm_by_hand(params, x):
    """With D(x) = v . tanh(W'x + b), grad D = W (v * (1 - tanh^2)): no derivative is taken."""
    h = jnp.tanh(x @ params["w"] + params["b"])
    return jnp.square(((1 - h**2) * params["v"]) @ params["w"].T).sum(1)


def penalty_by_hand(params, x, target=1.0, one_sided=False):
    excess = jnp.sqrt(squared_norm_by_hand(params, x) + 1e-12) - target
    return (jnp.maximum(excess, 0) if one_sided else excess) ** 2


def penalty(params, x, **settings):
    return losses.input_gradient_penalty(lambda inputs: critic(params, inputs), x, **settings)


def r1(params, x, **settings):
    return losses.r1_penalty(lambda inputs: critic(params, inputs), x, **settings)


def assert_same(ours, by_hand):
    """Values, and gradients by the parameters and the points."""

    def both(f):
        def total(params, x):
            value = f(params, x)
            return (value * np.arange(1, BATCH + 1)).sum(), value

        return jax.jit(jax.value_and_grad(total, (0, 1), has_aux=True))(PARAMS, X)

    got, expected = both(ours), both(by_hand)
    assert got[0][1].shape == (BATCH,) and got[0][1].dtype == jnp.float64
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13), got, expected
    )


@every_formulation
@pytest.mark.parametrize("settings", SETTINGS)
def test_penalty_and_its_gradients_equal_those_derived_by_hand(settings, formulation):
    assert_same(
        lambda params, x: penalty(params, x, formulation=formulation, **settings),
        lambda params, x: penalty_by_hand(params, x, **settings),
    )


@every_formulation
def test_r1_is_half_the_squared_norm(formulation):
    assert_same(
        lambda params, x: r1(params, x, formulation=formulation),
        lambda params, x: squared_norm_by_hand(params, x) / 2,
    )


@every_formulation
def test_a_flat_critic_has_finite_gradients_and_is_not_pushed_by_r1(formulation):
    for params in (ZERO, ZERO | {"v": PARAMS["v"]}, ZERO | {"w": PARAMS["w"]}):
        value, gradient = jax.value_and_grad(
            lambda p: penalty(p, X, formulation=formulation).mean()
        )(params)
        np.testing.assert_allclose(value, 1.0, atol=1e-5)
        assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))
    value, gradient = jax.value_and_grad(lambda p: r1(p, X, formulation=formulation).mean())(ZERO)
    assert value == 0 and all((g == 0).all() for g in jax.tree.leaves(gradient))


@every_formulation
def test_one_sided_costs_nothing_below_the_target(formulation):
    value, gradient = jax.value_and_grad(
        lambda p: penalty(p, X, formulation=formulation, target=100.0, one_sided=True).sum()
    )(PARAMS)
    assert value == 0 and all((g == 0).all() for g in jax.tree.leaves(gradient))


@every_formulation
def test_images_have_one_norm_over_all_axes(formulation):
    weight = RNG.normal(size=(4, 3, 2))
    value = losses.input_gradient_penalty(
        lambda x: (x * weight).sum((1, 2, 3)), np.ones((2, 4, 3, 2)), formulation=formulation
    )
    np.testing.assert_allclose(value, [(np.linalg.norm(weight) - 1) ** 2] * 2, rtol=1e-9)


@every_formulation
def test_bfloat16_is_reduced_in_float32(formulation):
    # 4,096 equal slopes of 2**-6: the sum of squares is 1; bfloat16 would stop adding at 2**-4.
    x = jnp.zeros((2, 4096), jnp.bfloat16)
    slope = jnp.full(4096, 2.0**-6, jnp.bfloat16)

    def scores(x):
        return (x * slope).sum(-1, dtype=jnp.float32).astype(jnp.bfloat16)

    penalty = losses.input_gradient_penalty(scores, x, target=0.0, formulation=formulation)
    norm = losses.input_gradient_norm(scores, x)
    assert penalty.dtype == norm.dtype == jnp.float32
    np.testing.assert_allclose([penalty, norm], 1.0, rtol=1e-6)


def test_gradient_penalty_lies_on_the_lines_between_pairs():
    (real, fake), weight = RNG.normal(size=(2, BATCH, FEATURES)), RNG.uniform(size=BATCH)
    value = losses.gradient_penalty(lambda x: critic(PARAMS, x), real, fake, weight, target=0.7)
    x = weight[:, None] * real + (1 - weight[:, None]) * fake
    np.testing.assert_allclose(value, penalty_by_hand(PARAMS, x, 0.7), rtol=1e-10)
    ends = losses.interpolate(np.ones((3, 2, 2)), np.zeros((3, 2, 2)), np.array([0.0, 0.25, 1.0]))
    np.testing.assert_array_equal(ends[:, 0, 0], [0.0, 0.25, 1.0])
