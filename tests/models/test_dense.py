"""Dense networks: dropout that devices agree on, norms, shapes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.models.convnets import ConvDecoder, ConvEncoder
from genjax.models.dense import ACTIVATIONS, MAXOUT_PIECES, MLP, Dropout
from genjax.models.norms import NORMS, Norm

DEVICES = """
import warnings; warnings.filterwarnings("ignore")
import jax, jax.numpy as jnp, numpy as np
from genjax.core.batch import AXIS
from genjax.models.dense import MLP

def outputs(variables, x):
    network = MLP((16,), (2,), norm="batch", dropout=0.5)
    y, updated = network.apply(
        variables, x, train=True, rngs={"dropout": jax.random.key(1)}, mutable=["batch_stats"])
    return y, updated["batch_stats"]

x = jax.random.normal(jax.random.key(0), (8, 3))
variables = MLP((16,), (2,), norm="batch").init(jax.random.key(2), x)
one, stats = outputs(variables, x)
many, many_stats = jax.pmap(
    lambda x: outputs(variables, x), axis_name=AXIS)(x.reshape(4, 2, 3))
np.testing.assert_allclose(many.reshape(8, 2), one, rtol=1e-5, atol=1e-5)
jax.tree.map(lambda a, b: np.testing.assert_allclose(a, np.stack([b] * 4), rtol=1e-5, atol=1e-6),
             many_stats, stats)
assert (np.asarray(one) != np.asarray(outputs(variables, x[::-1])[0])[::-1]).any()
print("equal")
"""


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (functools.partial(MLP, (64,)), (1, 64)),
        (functools.partial(ConvEncoder, (32,)), (1, 8, 8, 16)),
        (functools.partial(ConvDecoder, (64,)), (1, 64)),
    ],
)
def test_initial_weights_have_the_variance_that_is_asked(network, shape):
    def kernels(**options):
        variables = network((8, 8, 16), **options).init(jax.random.key(0), jnp.zeros(shape))
        flat = jax.tree.leaves_with_path(variables)
        return [x for path, x in flat if "kernel" in str(path)]

    usual, third = kernels(), kernels(init_variance=1 / 3)
    assert len(usual) == 2
    for a, b in zip(usual, third):
        np.testing.assert_allclose(b, a / np.sqrt(3), rtol=1e-5)
        assert np.var(a) * np.prod(a.shape[:-1]) == pytest.approx(1, rel=0.15)


@pytest.mark.slow
def test_dropout_and_batch_norm_are_the_same_over_devices():
    from tests.engine.processes import run_python

    [(output, _)] = run_python(DEVICES, devices=4)
    assert output.strip() == "equal"


def test_dropout_keeps_the_mean_and_only_acts_in_training():
    x = jnp.ones((400, 50))
    dropout = Dropout(0.3)
    y = dropout.apply({}, x, train=True, rngs={"dropout": jax.random.key(0)})
    values = np.unique(y)
    np.testing.assert_allclose(values, [0, 1 / 0.7], rtol=1e-6)
    # 20,000 draws: the standard error of the share is 0.0032.
    assert abs(float((y == 0).mean()) - 0.3) < 5 * 0.0033
    assert (dropout.apply({}, x, train=False) == x).all()
    assert (Dropout(0.0).apply({}, x, train=True) == x).all()


def test_dropped_elements_get_no_gradient():
    dropout, rngs = Dropout(0.5), {"dropout": jax.random.key(0)}
    x = jnp.ones((4, 8))
    gradient = jax.grad(lambda x: dropout.apply({}, x, train=True, rngs=rngs).sum())(x)
    kept = dropout.apply({}, x, train=True, rngs=rngs) != 0
    np.testing.assert_array_equal(gradient, jnp.where(kept, 2.0, 0.0))


@pytest.mark.parametrize("norm", NORMS)
def test_layers_and_examples(norm):
    network = MLP((5, 4), (2, 3), norm=norm, activation="tanh")
    x = np.random.default_rng(0).normal(size=(6, 2, 2)).astype(np.float32)
    variables = network.init(jax.random.key(0), x)
    kernels = [p.shape for p in jax.tree.leaves(variables["params"]) if p.ndim == 2]
    assert sorted(kernels) == [(4, 5), (4, 6), (5, 4)]
    y = network.apply(variables, x)
    assert y.shape == (6, 2, 3) and y.dtype == jnp.float32
    # Out of training nothing mixes examples, batch norm included.
    np.testing.assert_allclose(network.apply(variables, x[2:4]), y[2:4], rtol=1e-5, atol=1e-6)


def test_batch_norm_standardizes_the_batch_and_keeps_its_statistics():
    norm = Norm("batch")
    x = 3 + 2 * jax.random.normal(jax.random.key(0), (64, 5))
    variables = norm.init(jax.random.key(0), x, train=False)
    y, updated = norm.apply(variables, x, train=True, mutable=["batch_stats"])
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-3)
    [mean] = [x for k, x in jax.tree.leaves_with_path(updated) if "mean" in str(k)]
    np.testing.assert_allclose(mean, 0.1 * x.mean(0), rtol=1e-4)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_activations_are_elementwise_and_finite(activation):
    x = jnp.array([-1e4, -1.0, 0.0, 1.0, 1e4])
    y = ACTIVATIONS[activation](x)
    assert y.shape == x.shape and jnp.isfinite(y).all()
    assert y[2] == 0
    assert jnp.isfinite(jax.vmap(jax.grad(ACTIVATIONS[activation]))(x)).all()


def test_an_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="norm='group': must be one of none, batch, layer"):
        MLP((3,), norm="group").init(jax.random.key(0), jnp.ones((1, 2)))


def test_a_maxout_unit_is_the_largest_of_its_linear_pieces():
    x = jax.random.normal(jax.random.key(0), (6, 3))
    network = MLP((4,), (2,), activation="maxout")
    params = network.init(jax.random.key(1), x)["params"]
    first, last = (jax.tree.map(np.asarray, params[f"Dense_{i}"]) for i in range(2))
    assert first["kernel"].shape == (3, 4 * MAXOUT_PIECES) and last["kernel"].shape == (4, 2)
    pieces = np.asarray(x) @ first["kernel"] + first["bias"]
    hidden = np.stack([pieces[:, 5 * i : 5 * i + 5].max(1) for i in range(4)], axis=1)
    expected = hidden @ last["kernel"] + last["bias"]
    np.testing.assert_allclose(network.apply({"params": params}, x), expected, rtol=1e-5)
