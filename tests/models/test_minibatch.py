"""What lets a critic see several examples: the batch's standard deviation, packs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.batch import AXIS
from genjax.models.convnets import ConvEncoder
from genjax.models.dense import MLP
from genjax.models.minibatch import MinibatchStddev, pack

X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
START = {"batch_stats": {"stddev": jnp.float32(1.0)}}


def in_training(x):
    return MinibatchStddev().apply(START, x, train=True, mutable=["batch_stats"])


def test_the_added_feature_is_the_mean_standard_deviation_of_the_batch():
    y, updated = in_training(X)
    np.testing.assert_array_equal(y[:, :3], X)
    np.testing.assert_allclose(y[:, 3], X.std(0).mean(), rtol=1e-5)
    np.testing.assert_allclose(
        updated["batch_stats"]["stddev"], 0.9 + 0.1 * X.std(0).mean(), rtol=1e-5
    )


@pytest.mark.slow
def test_devices_agree_with_one_on_the_feature_and_on_its_gradient():
    def value(x):
        y, updated = in_training(x)
        return jnp.sum(jnp.sin(y)), (y, updated)

    (_, one), gradient = jax.value_and_grad(value, has_aux=True)(X)
    (_, many), gradients = jax.vmap(
        jax.value_and_grad(lambda x: value(x), has_aux=True), axis_name=AXIS
    )(X.reshape(4, 2, 3))
    np.testing.assert_allclose(many[0].reshape(8, 4), one[0], rtol=1e-5)
    np.testing.assert_allclose(
        many[1]["batch_stats"]["stddev"], [one[1]["batch_stats"]["stddev"]] * 4, rtol=1e-6
    )
    np.testing.assert_allclose(gradients.reshape(8, 3), gradient, rtol=1e-4, atol=1e-6)


def test_out_of_training_nothing_mixes_examples():
    y = MinibatchStddev().apply({"batch_stats": {"stddev": jnp.float32(0.4)}}, X, train=False)
    np.testing.assert_allclose(y[:, 3], 0.4)


def test_a_batch_of_equal_examples_has_finite_gradients():
    def value(x):
        return jnp.sum(in_training(x)[0][:, 3])

    assert value(jnp.ones((4, 3))) < 1e-3
    assert np.isfinite(jax.grad(value)(jnp.ones((4, 3)))).all()


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (MLP((5,), minibatch_stddev=True), (6, 2)),
        (ConvEncoder((3,), minibatch_stddev=True), (6, 4, 4, 1)),
    ],
)
def test_the_last_layer_of_a_network_sees_the_feature(network, shape):
    x = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    variables = network.init(jax.random.key(0), x)
    [kernel] = [p for p in jax.tree.leaves(variables["params"]) if p.shape[1:] == (1,)]
    assert kernel.shape[0] == {2: 5, 4: 2 * 2 * 3}[len(shape)] + 1
    y, updated = network.apply(variables, x, train=True, mutable=["batch_stats"])
    assert y.shape == (6,)
    assert jax.tree.leaves(updated) != jax.tree.leaves(variables["batch_stats"])


def test_packs_are_consecutive_examples_stacked_along_channels():
    x = np.arange(4 * 2 * 2 * 3).reshape(4, 2, 2, 3)
    packs = pack(x, 2)
    assert packs.shape == (2, 2, 2, 6)
    for i in range(4):
        np.testing.assert_array_equal(packs[i // 2, ..., 3 * (i % 2) : 3 * (i % 2) + 3], x[i])
    points = np.arange(8).reshape(4, 2)
    np.testing.assert_array_equal(pack(points, 4), [np.arange(8)])
    assert pack(points, 1) is points
