"""The U-Net and what it is told: shapes, layouts that agree, parts that are what they claim."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.models.norms import GroupNorm
from genjax.models.time import Condition, TimeMLP, sinusoidal
from genjax.models.unet import UNet, _from_patches, _to_patches


def draw(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def scrambled(variables, seed=0):
    """No part at its start, where the blocks are identities and the output is 0."""
    leaves, tree = jax.tree.flatten(variables)
    moved = [x + 0.3 * draw(x.shape, seed + i) for i, x in enumerate(leaves)]
    return jax.tree.unflatten(tree, moved)


@pytest.mark.slow
def test_layouts_agree_in_output_and_gradients():
    x, time, label = draw((3, 12, 8, 3)), np.array([0.0, 0.4, 1.0], np.float32), np.arange(3)
    options = {"patch": 2, "attention": True, "num_classes": 2, "features": 8}
    networks = [UNet((4, 6), **options, lowering=k) for k in ("matmul", "stock")]
    variables = jax.jit(networks[0].init)(jax.random.key(0), x, time, label)
    shapes = [
        jax.tree.map(jnp.shape, jax.eval_shape(n.init, jax.random.key(0), x, time, label))
        for n in networks
    ]
    assert shapes[0] == shapes[1]

    def value(network):
        def loss(variables, x):
            y = network.apply(variables, x, time, label)
            return jnp.sin(y).sum(), y

        return jax.jit(jax.grad(loss, (0, 1), has_aux=True))(scrambled(variables), x)

    (gradients, y), (expected, expected_y) = map(value, networks)
    assert y.shape == x.shape
    np.testing.assert_allclose(y, expected_y, rtol=1e-3, atol=1e-4)
    scale = max(float(jnp.abs(g).max()) for g in jax.tree.leaves(expected))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * scale),
        gradients,
        expected,
    )


def test_output_begins_at_0_and_depends_on_input_time_and_class():
    network = UNet((4, 4), features=8, num_classes=3)
    x, time, label = draw((2, 4, 4, 1)), np.array([0.2, 0.7]), np.array([0, 3])
    apply = jax.jit(network.apply)
    variables = jax.jit(network.init)(jax.random.key(0), x, time, label)
    assert (apply(variables, x, time, label) == 0).all()
    variables = scrambled(variables)
    y = apply(variables, x, time, label)
    others = [(x + 1, time, label), (x, time + 0.1, label), (x, time, label * 0 + 1)]
    for other in others:
        assert (jnp.abs(apply(variables, *other) - y).max((1, 2, 3)) > 1e-4).all()
    # Examples do not mix.
    other = np.stack([0 * x[0], x[1]])
    mixed = apply(variables, other, time, label)
    np.testing.assert_allclose(mixed[1], y[1], rtol=1e-3, atol=1e-4)


def test_group_norm_is_flaxs_in_both_layouts():
    x = 3 + 2 * draw((5, 4, 6, 16))
    variables = scrambled(nn.GroupNorm(8).init(jax.random.key(0), x))
    expected = nn.GroupNorm(8, epsilon=1e-5).apply(variables, x)
    np.testing.assert_allclose(GroupNorm().apply(variables, x), expected, rtol=2e-4, atol=2e-4)
    single = jnp.arange(8.0).reshape(1, 1, 1, 8)  # groups of one number would all be 0
    assert (
        jnp.diff(GroupNorm().apply(GroupNorm().init(jax.random.key(0), single), single).ravel())
        > 0.1
    ).all()
    last = GroupNorm(0).apply(variables, x.transpose(3, 1, 2, 0)).transpose(3, 1, 2, 0)
    np.testing.assert_allclose(last, expected, rtol=2e-4, atol=2e-4)
    constant = jax.grad(lambda x: GroupNorm().apply(variables, x).sum())(jnp.ones((1, 2, 2, 16)))
    assert jnp.isfinite(constant).all()


def test_patches_are_tiles_and_come_back():
    x = draw((2, 6, 4, 3))
    tiles = _to_patches(x, 2)
    assert tiles.shape == (2, 3, 2, 12)
    np.testing.assert_array_equal(tiles[1, 2, 1], x[1, 4:6, 2:4].ravel())
    np.testing.assert_array_equal(_from_patches(tiles, 2), x)
    assert _to_patches(x, 1).shape == x.shape


def test_sinusoidal_tells_times_apart():
    time = np.linspace(0, 1, 101)
    e = np.asarray(sinusoidal(time, 16))
    assert e.shape == (101, 16)
    np.testing.assert_allclose((e**2).sum(1), 8, rtol=1e-5)
    np.testing.assert_allclose(e[0], [1] * 8 + [0] * 8, atol=1e-6)
    distance = np.linalg.norm(e[:, None] - e[None], axis=-1) + 9 * np.eye(101)
    assert distance.min() > 0.5


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_dense_network_has_the_shape_of_its_input(dtype):
    network = TimeMLP((8, 8), features=4, num_classes=2, dtype=dtype)
    x, time, label = draw((3, 2)), np.array([0.0, 0.5, 1.0]), np.array([0, 1, 2])
    variables = jax.jit(network.init)(jax.random.key(0), x, time, label)
    y = jax.jit(network.apply)(variables, x, time, label)
    assert y.shape == x.shape and y.dtype == dtype
    same = jax.jit(network.apply)(variables, x[[0, 0]], time[[0, 1]], label[[0, 0]])
    assert (same[0] != same[1]).any()


def test_frequencies_tell_close_points_apart():
    x, time = np.array([[0.5, 0.0], [0.51, 0.0]]), np.zeros(2)

    def apart(frequencies):
        network = TimeMLP((), features=4, frequencies=frequencies)
        params = network.init(jax.random.key(0), x, time)["params"]
        kernel = params["MLP_0"]["Dense_0"]["kernel"]
        assert kernel.shape == (2 + 2 * 2 * frequencies + 4, 2)
        # All weights of the first coordinate's inputs alike: its share of the inputs' distance.
        y = network.apply({"params": jax.tree.map(jnp.ones_like, params)}, x, time)
        return float(jnp.abs(y[1] - y[0]).max())

    assert apart(0) == pytest.approx(0.01, rel=1e-3)
    expected = 0.01 + sum(
        np.sin(0.51 * f) - np.sin(0.5 * f) + np.cos(0.51 * f) - np.cos(0.5 * f)
        for f in np.geomspace(1, 128, 6)
    )
    assert apart(6) == pytest.approx(abs(expected), rel=1e-3)


def test_without_classes_no_label_is_needed():
    condition = Condition(6)
    variables = condition.init(jax.random.key(0), np.zeros(2))
    assert condition.apply(variables, np.array([0.1, 0.9])).shape == (2, 6)
    assert not any("Embed" in str(k) for k, _ in jax.tree.leaves_with_path(variables))
