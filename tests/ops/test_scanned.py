"""Scans with late gradients: the values and gradients of `jax.lax.scan`."""

import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.ops.platform import traced_for
from genjax.ops.scanned import scan_products
from tests.ops.agree import assert_agree, draw

STEPS, ROWS, WIDTH = 4, 3, 2
KERNELS = {"x": draw(5, WIDTH), "h": draw(WIDTH, WIDTH)}
ARGUMENTS = (KERNELS, {"bias": draw(WIDTH)}, draw(ROWS, WIDTH), draw(STEPS, ROWS, 5))


def step(times, shared, h, x):
    h = jnp.tanh(times("x", x) + times("h", h) + shared["bias"])
    return h, h[:, 0]


def plain(kernels, shared, first, xs):
    def one(h, x):
        return step(lambda name, a: a @ kernels[name], shared, h, x)

    return jax.lax.scan(one, first, xs)


def late(*arguments):
    return scan_products(step, *arguments)


@pytest.mark.parametrize("platform", ["cpu", "cuda"])  # one by one, and some rounds at once
def test_values_and_gradients_are_those_of_a_scan(platform):
    with traced_for(platform):
        assert_agree(late, plain, *ARGUMENTS, order=1)


def test_a_kernel_is_used_once_a_step():
    """One product a step and its two gradients, of which that by the kernel is outside the scan."""
    jaxpr = str(jax.make_jaxpr(jax.grad(lambda a: late(*a)[0].sum()))(ARGUMENTS))
    gradient_of_h = f"f64[{WIDTH},{WIDTH}] = dot_general"
    assert jaxpr.count(gradient_of_h) == 1


def test_masks_among_the_shared_arrays_have_no_gradient():
    mask = jnp.array([[True], [False], [True]])

    def masked(times, shared, h, x):
        return jnp.where(shared["mask"], step(times, shared, h, x)[0], h), ()

    def last(first):
        shared = ARGUMENTS[1] | {"mask": mask}
        return scan_products(masked, KERNELS, shared, first, ARGUMENTS[3])[0]

    gradient = jax.grad(lambda first: last(first).sum())(ARGUMENTS[2])
    np.testing.assert_array_equal(gradient[1], 1.0)


def test_products_are_made_in_the_kernels_type_and_summed_in_float32():
    _, ys = scan_products(
        lambda times, _, h, x: (h, times("x", x)),
        {"x": KERNELS["x"].astype(jnp.bfloat16)},
        (),
        ARGUMENTS[2],
        ARGUMENTS[3],
    )
    assert ys.dtype == jnp.float32
    np.testing.assert_allclose(ys, ARGUMENTS[3] @ KERNELS["x"], rtol=0.05, atol=0.05)


@pytest.mark.parametrize("batched", [0, 1])
def test_members_of_a_population_differ_in_kernels_or_inputs(batched):
    several = [jax.tree.map(lambda x: jnp.stack([x, 2 * x]), a) for a in ARGUMENTS]
    axes = (0, None, 0, None) if batched else (None, 0, None, 0)
    arguments = [s if axis == 0 else a for s, a, axis in zip(several, ARGUMENTS, axes)]
    got = jax.vmap(late, in_axes=axes)(*arguments)[0]
    for i, expected in enumerate(got):
        one = [
            a if axis is None else jax.tree.map(operator.itemgetter(i), a)
            for a, axis in zip(arguments, axes)
        ]
        np.testing.assert_allclose(expected, plain(*one)[0], rtol=1e-5, atol=1e-6)
