"""Optimizers by section: updates by hand, schedules, masks, injected numbers, moving averages."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from genjax.core.config import optimizer as section
from genjax.core.optimizer import INJECTED, decay_mask, ema_update, make_optimizer, schedule

PARAMS = {"kernel": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "bias": jnp.array([4.0, -1.0])}
GRADIENT = {"kernel": jnp.array([[0.1, -0.2], [0.3, 0.0]]), "bias": jnp.array([-0.4, 0.5])}


def steps(o, n=1, total=10, params=PARAMS, gradient=GRADIENT, change=None, growth=1.0):
    optimizer = make_optimizer(o, total)
    state = optimizer.init(params)
    if change:
        state = state._replace(hyperparams=state.hyperparams | change)
    for _ in range(n):
        updates, state = jax.jit(optimizer.update)(gradient, state, params)
        params = optax.apply_updates(params, updates)
        gradient = jax.tree.map(lambda g: growth * g, gradient)
    return params


def test_networks_learn_at_rates_of_their_own():
    o = section(learning_rate=0.1, weight_decay=0.1, schedule="cosine", warmup_steps=2)
    networks = {name: PARAMS for name in ("encoder", "head", "fixed")}
    optimizer = make_optimizer(o, 10, {"encoder": 0.1, "head": 1.0, "fixed": 0.0})
    updates, _ = optimizer.update(
        {name: GRADIENT for name in networks}, optimizer.init(networks), networks
    )
    close(updates["encoder"], jax.tree.map(lambda u: 0.1 * u, updates["head"]))
    moved = optax.apply_updates(networks, updates)
    jax.tree.map(np.testing.assert_array_equal, moved["fixed"], PARAMS)
    close(moved["head"], steps(o))


def close(actual, expected, rtol=1e-5):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-5), actual, expected
    )


@pytest.mark.parametrize(
    ("o", "peer"),
    [
        (section(learning_rate=0.1), optax.adam(0.1)),
        (section(learning_rate=0.1, b1=0.0, b2=0.9), optax.adam(0.1, b1=0.0, b2=0.9)),
        (
            section(name="rmsprop", learning_rate=0.1, b1=0.0, b2=0.9),
            optax.rmsprop(0.1, decay=0.9, eps_in_sqrt=False),
        ),
        (section(name="sgd", learning_rate=0.1, b1=0.0), optax.sgd(0.1)),
        (section(name="sgd", learning_rate=0.1, b1=0.9), optax.sgd(0.1, momentum=0.9)),
        (
            section(name="adamw", learning_rate=0.1, weight_decay=0.2),
            optax.adamw(0.1, weight_decay=0.2, mask={"kernel": True, "bias": False}),
        ),
        (
            section(learning_rate=0.1, clip_norm=0.25),
            optax.chain(optax.clip_by_global_norm(0.25), optax.adam(0.1)),
        ),
    ],
)
def test_sections_equal_the_optimizers_of_optax(o, peer):
    params, state = PARAMS, peer.init(PARAMS)
    for _ in range(3):
        updates, state = peer.update(GRADIENT, state, params)
        params = optax.apply_updates(params, updates)
    close(steps(o, 3), params)


def test_weight_decay_moves_matrices_alone():
    o = section(name="adamw", learning_rate=0.1, weight_decay=0.5)
    moved = steps(o, gradient=jax.tree.map(jnp.zeros_like, GRADIENT))
    np.testing.assert_allclose(moved["kernel"], 0.95 * PARAMS["kernel"], rtol=1e-6)
    np.testing.assert_array_equal(moved["bias"], PARAMS["bias"])
    assert decay_mask({"w": jnp.ones((2, 2, 3)), "g": jnp.ones(2), "s": jnp.ones(())}) == {
        "w": True,
        "g": False,
        "s": False,
    }
    stacked = {"norm": {"scale": jnp.ones((3, 4))}, "dense": {"kernel": jnp.ones((3, 4, 5))}}
    assert decay_mask(stacked) == {"norm": {"scale": False}, "dense": {"kernel": True}}
    by_class = {"scale": jnp.ones((3, 4)), "shift": jnp.ones((3, 4))}
    assert decay_mask(by_class) == {"scale": False, "shift": False}


def test_clipping_bounds_the_global_norm_and_leaves_small_gradients():
    o = section(name="sgd", learning_rate=1.0, b1=0.0, clip_norm=0.1)
    moved = jax.tree.map(jnp.subtract, PARAMS, steps(o))
    np.testing.assert_allclose(optax.tree.norm(moved), 0.1, rtol=1e-6)
    small = jax.tree.map(lambda g: g / 1000, GRADIENT)
    close(jax.tree.map(jnp.subtract, PARAMS, steps(o, gradient=small)), small, rtol=1e-3)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [1, 1, 1, 1, 1, 1]),
        ({"schedule": "linear"}, [1, 0.75, 0.5, 0.25, 0, 0]),
        ({"schedule": "linear", "end_factor": 0.5}, [1, 0.875, 0.75, 0.625, 0.5, 0.5]),
        ({"schedule": "cosine"}, [1, 0.8535534, 0.5, 0.1464466, 0, 0]),
        ({"schedule": "inverse_sqrt"}, [1, 2**-0.5, 3**-0.5, 0.5, 5**-0.5, 6**-0.5]),
        ({"warmup_steps": 2}, [0.5, 1, 1, 1, 1, 1]),
        ({"warmup_steps": 2, "schedule": "inverse_sqrt"}, [0.5, 1, *(2 / np.arange(3, 7)) ** 0.5]),
        ({"warmup_steps": 2, "schedule": "linear"}, [0.5, 1, 1, 0.5, 0, 0]),
        ({"warmup_steps": 1, "schedule": "cosine"}, [1, 1, 0.75, 0.25, 0, 0]),
    ],
)
def test_schedules_by_step(fields, expected):
    o = section(name="sgd", learning_rate=2.0, b1=0.0, **fields)
    factors = [float(schedule(o, 4)(jnp.int32(i))) for i in range(6)]
    np.testing.assert_allclose(factors, expected, atol=1e-6)
    params = {"w": jnp.zeros(())}
    path = [float(steps(o, n, 4, params, {"w": jnp.ones(())})["w"]) for n in range(6)]
    np.testing.assert_allclose(-np.diff(path), 2 * np.array(expected[:5]), atol=1e-5)


def test_numbers_are_arrays_in_the_state():
    o = section(name="adamw", weight_decay=0.1)
    state = make_optimizer(o, 10).init(PARAMS)
    assert set(INJECTED) <= set(state.hyperparams)
    for name in INJECTED:
        number = state.hyperparams[name]
        assert number.dtype == jnp.float32 and number.shape == () and not number.weak_type


@pytest.mark.parametrize(
    "change", [{"learning_rate": 0.3}, {"b1": 0.5}, {"b2": 0.8}, {"weight_decay": 0.7}]
)
def test_an_injected_number_equals_the_configured_one(change):
    fields = {"name": "adamw", "weight_decay": 0.1, "learning_rate": 0.1}
    numbers = {n: jnp.float32(v) for n, v in change.items()}
    injected = steps(section(**fields), 2, change=numbers, growth=-2.0)
    close(injected, steps(section(**(fields | change)), 2, growth=-2.0))
    unchanged = steps(section(**fields), 2, growth=-2.0)
    assert (jnp.abs(injected["kernel"] - unchanged["kernel"]) > 1e-3).any()


def test_updates_keep_types_so_that_nothing_compiles_twice():
    optimizer = make_optimizer(section(schedule="cosine", warmup_steps=2, clip_norm=1.0), 10)
    state = optimizer.init(PARAMS)
    _, after = optimizer.update(GRADIENT, state, PARAMS)

    def types(tree):
        return jax.tree.map(lambda x: (x.shape, x.dtype), tree)

    assert types(after) == types(state)


def test_moving_average_forgets_the_start_and_then_moves_slowly():
    ema = {"w": jnp.float32(10.0)}
    first = ema_update(ema, {"w": jnp.float32(0.0)}, 0.999, jnp.int32(0))
    np.testing.assert_allclose(first["w"], 1.0, rtol=1e-6)  # decay 1/10
    late = ema_update(ema, {"w": jnp.float32(0.0)}, 0.999, jnp.int32(1_000_000))
    np.testing.assert_allclose(late["w"], 9.99, rtol=1e-6)
    none = ema_update(ema, {"w": jnp.float32(3.0)}, 0.0, jnp.int32(5))
    np.testing.assert_allclose(none["w"], 3.0, rtol=1e-6)
    still = ema_update(ema, ema, 0.9, jnp.int32(7))
    assert still["w"] == 10.0
