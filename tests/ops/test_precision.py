"""Sums, products and softplus are the plain ones, and bfloat16 is summed in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.ops import precision
from tests.ops.agree import assert_agree, draw

A, WIDE, NARROW = draw(2, 3, 5), draw(5, 7), draw(5, 4)


@pytest.mark.parametrize("kernel", [WIDE, NARROW], ids=["widens", "narrows"])
def test_products_are_plain_products(kernel):
    bias = draw(kernel.shape[1])
    assert_agree(precision.matmul, jnp.matmul, A, kernel)
    assert_agree(precision.dense, lambda a, k, b: a @ k + b, A, kernel, bias)
    assert_agree(precision.dense, jnp.matmul, A, kernel)


def test_the_gradient_of_a_kernel_is_that_of_its_product():
    def plain(a, d_product):
        return jax.vjp(lambda k: a @ k, WIDE)[1](d_product)[0]

    assert_agree(lambda a, d: precision.kernel_gradient(a, d, WIDE), plain, A, draw(2, 3, 7))


def test_elements_are_summed_over_all_axes_but_the_first():
    assert_agree(
        lambda x: precision.sum_elements(x, 0.25), lambda x: 0.25 * x.sum((1, 2)), draw(4, 3, 2)
    )


def test_softplus_is_jaxs():
    x = 10 * draw(50)
    assert_agree(precision.softplus, jax.nn.softplus, x)
    far = jnp.float32([-3e38, -1e4, 1e4, 3e38])
    np.testing.assert_array_equal(precision.softplus(far), np.maximum(far, 0))
    np.testing.assert_array_equal(jax.vmap(jax.grad(precision.softplus))(far), [0, 0, 1, 1])


def test_gelu_is_jaxs():
    assert_agree(precision.gelu, lambda x: jax.nn.gelu(x, approximate=False), 3 * draw(50))


def test_bfloat16_is_summed_in_float32():
    a, kernel = jnp.ones((2, 4096), jnp.bfloat16), jnp.full((4096, 3), 2.0**-12, jnp.bfloat16)
    y = precision.matmul(a, kernel)
    assert y.dtype == jnp.float32 and (y == 1).all()
    assert precision.kernel_gradient(a, y, kernel).dtype == jnp.bfloat16
    assert precision.dense(a, kernel).dtype == jnp.bfloat16
    assert precision.at_least_float32(a).dtype == jnp.float32
    assert precision.at_least_float32(jnp.ones(1, jnp.float64)).dtype == jnp.float64
