"""Both lowerings of convolutions against JAX's own: values, first and second derivatives."""

import jax
import jax.numpy as jnp
import pytest

from genjax.ops.conv import convolve
from tests.ops.agree import assert_agree, draw

PADDINGS = ["SAME", "VALID", ((1, 2), (0, 1))]
X = draw(2, 7, 6, 3)  # an odd and an even size


@pytest.mark.parametrize("transpose", [False, True], ids=["conv", "transpose"])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_both_lowerings_are_jaxs(size, stride, transpose):
    # Another kernel height and, for odd kernels, another stride along the other axis.
    kernel, strides = draw(size, 6 - size, 3, 4), (stride, stride + size % 2)

    def every(f):
        return lambda x, kernel: [f(x, kernel, padding) for padding in PADDINGS]

    def plain(x, kernel, padding):
        f = jax.lax.conv_transpose if transpose else jax.lax.conv_general_dilated
        return f(x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def ours(lowering):
        return lambda x, kernel, padding: convolve(
            x, kernel, strides, padding, transpose=transpose, lowering=lowering
        )

    order = 2 if (size, stride) in ((4, 2), (3, 1)) else 1
    assert_agree(every(ours("matmul")), every(plain), X, kernel, order=order)
    if order == 2:
        assert_agree(every(ours("stock")), every(plain), X, kernel, order=0)


@pytest.mark.parametrize("transpose", [False, True], ids=["conv", "transpose"])
@pytest.mark.parametrize("lowering", ["matmul", "stock"])
def test_the_layout_changes_nothing(lowering, transpose):
    options = {"strides": (2, 2), "transpose": transpose, "lowering": lowering}

    def last(x, kernel):
        y = convolve(x.transpose(3, 1, 2, 0), kernel, batch_last=True, **options)
        return y.transpose(3, 1, 2, 0)

    assert_agree(last, lambda *a: convolve(*a, **options), X, draw(4, 4, 3, 4), order=0)


def test_bfloat16_stays():
    x, kernel = jnp.bfloat16(X), jnp.bfloat16(draw(3, 3, 3, 4))
    for transpose in (False, True):
        y = convolve(x, kernel, transpose=transpose, lowering="matmul")
        assert y.dtype == jnp.bfloat16
