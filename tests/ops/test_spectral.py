"""Spectral normalization against NumPy's singular values, for dense layers and convolutions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from genjax.models.convnets import ConvEncoder
from genjax.models.dense import MLP
from genjax.ops.spectral import initial_vectors, power_iteration, spectrally_normalized

NETWORKS = {
    "dense": (MLP((7, 5)), (3, 4)),
    "conv": (ConvEncoder((3, 4), norm="layer"), (2, 8, 8, 1)),
}


def made(name="dense", iterations=0):
    network, shape = NETWORKS[name]
    params = jax.jit(network.init)(jax.random.key(0), jnp.zeros(shape, jnp.float32))["params"]
    vectors = initial_vectors(params, jax.random.key(1))
    more = jax.jit(
        lambda v: jax.lax.fori_loop(0, iterations, lambda _, v: power_iteration(params, v), v)
    )
    return params, more(vectors)


def kernels(params):
    """Kernels as matrices (outputs, inputs), by path."""
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return {
        jax.tree_util.keystr(path): np.float64(p).reshape(-1, p.shape[-1]).T
        for path, p in leaves
        if p.ndim > 1
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_largest_singular_values_become_one(name):
    params, vectors = made(name, iterations=200)
    for kernel in kernels(spectrally_normalized(params, vectors)).values():
        np.testing.assert_allclose(np.linalg.svd(kernel, compute_uv=False)[0], 1, rtol=1e-4)


def test_an_iteration_is_that_of_the_paper():
    params, vectors = made()
    after = jax.tree.leaves(power_iteration(params, vectors))
    weights = kernels(params).values()
    for before, u, w in zip(jax.tree.leaves(vectors), after, weights, strict=True):
        v = w.T @ np.float64(before)
        expected = w @ (v / np.linalg.norm(v))
        np.testing.assert_allclose(u, expected / np.linalg.norm(expected), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NETWORKS)
def test_biases_and_scales_stay_as_they_are(name):
    params, vectors = made(name)
    normalized = spectrally_normalized(params, vectors)
    assert jax.tree.structure(normalized) == jax.tree.structure(params)
    for before, after in zip(jax.tree.leaves(params), jax.tree.leaves(normalized), strict=True):
        assert before.shape == after.shape
        assert before.ndim > 1 or (before == after).all()


def test_the_gradient_goes_through_the_singular_value():
    params, vectors = made()

    @jax.jit
    def value(params):
        return sum(jnp.sin(p).sum() for p in jax.tree.leaves(normalized(params)))

    def normalized(params):
        return spectrally_normalized(params, vectors)

    wide = jax.tree.map(np.float64, params)
    check_grads(value, (wide,), order=1)
    # A kernel's length has no effect: its gradient is orthogonal to it.
    gradient = jax.grad(value)(wide)
    for p, g in zip(jax.tree.leaves(wide), jax.tree.leaves(gradient), strict=True):
        assert p.ndim < 2 or abs((p * g).sum()) < 1e-6


def test_a_kernel_of_zeros_stays_zero_and_its_vector_stays():
    params, vectors = made()
    zero = jax.tree.map(jnp.zeros_like, params)
    after = power_iteration(zero, vectors)
    jax.tree.map(np.testing.assert_array_equal, after, vectors)
    value, gradient = jax.value_and_grad(
        lambda p: sum(jnp.sum(q) for q in jax.tree.leaves(spectrally_normalized(p, vectors)))
    )(zero)
    assert value == 0
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))


def test_both_lowerings_compute_the_same_normalized_network():
    params, vectors = made("conv", iterations=3)
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype(np.float32)
    scores = [
        ConvEncoder((3, 4), norm="layer", lowering=lowering).apply(
            {"params": spectrally_normalized(params, vectors)}, x
        )
        for lowering in ("matmul", "stock")
    ]
    np.testing.assert_allclose(*scores, rtol=1e-4, atol=1e-5)


def test_members_of_a_population_are_normalized_each_by_its_own():
    single = [made(iterations=2)[0], jax.tree.map(lambda p: 3 * p + 0.1, made()[0])]
    vectors = made()[1]
    stacked = jax.tree.map(lambda *p: jnp.stack(p), *single)

    def normalized(p):
        return spectrally_normalized(p, power_iteration(p, vectors))

    together = jax.vmap(normalized)(stacked)
    for i, p in enumerate(single):
        jax.tree.map(
            lambda a, b, i=i: np.testing.assert_allclose(a[i], b, rtol=1e-5, atol=1e-6),
            together,
            normalized(p),
        )
