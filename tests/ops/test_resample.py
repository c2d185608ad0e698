"""Halving and doubling: alone against sums written out, and joined to a convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.models.conv import Conv, ConvPool, RepeatConv
from genjax.ops import resample
from genjax.ops.conv import to_batch_first, to_batch_last

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 6, 8, 3))


def blurred(x, axis):
    """Every second value behind [1, 3, 3, 1] / 8, the edge repeated."""
    rows = np.moveaxis(x, axis, 0)
    at = lambda i: rows[np.clip(i, 0, len(rows) - 1)]  # noqa: E731
    halved = [
        (at(i - 1) + 3 * at(i) + 3 * at(i + 1) + at(i + 2)) / 8 for i in range(0, len(rows), 2)
    ]
    return np.moveaxis(np.stack(halved), 0, axis)


def test_blurred_halving_is_a_filter_and_every_second_pixel():
    np.testing.assert_allclose(resample.blurred_halving(X), blurred(blurred(X, 1), 2), rtol=1e-12)


def test_blurred_doubling_is_linear_between_the_centers_of_pixels():
    found = resample.blurred_doubling(X)
    expected = jax.image.resize(X, (2, 12, 16, 3), "linear")  # repeats the edge as well
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("f", [resample.mean_pool, resample.blurred_halving])
def test_both_layouts_are_halved_alike_and_constants_stay(f):
    last = to_batch_first(f(to_batch_last(jnp.asarray(X))))
    np.testing.assert_allclose(f(X), last, rtol=1e-12)
    np.testing.assert_allclose(f(np.full((1, 4, 4, 1), 0.7)), np.full((1, 2, 2, 1), 0.7))


@pytest.mark.parametrize("lowering", ["stock", "matmul"])
@pytest.mark.parametrize(
    ("joined", "plain"),
    [
        (ConvPool, lambda conv, x: resample.mean_pool(conv(x))),
        (RepeatConv, lambda conv, x: conv(resample.repeat(x))),
    ],
)
def test_a_joined_convolution_is_the_two_steps_with_the_same_parameters(joined, plain, lowering):
    layer = joined(5, lowering=lowering, dtype=jnp.float64)
    variables = jax.tree.map(
        lambda p: RNG.normal(size=p.shape), layer.init(jax.random.key(0), jnp.asarray(X))
    )
    assert variables["params"]["kernel"].shape == (3, 3, 3, 5)
    expected = plain(lambda x: Conv(5, dtype=jnp.float64).apply(variables, x), jnp.asarray(X))
    np.testing.assert_allclose(layer.apply(variables, jnp.asarray(X)), expected, rtol=1e-10)


@pytest.mark.parametrize("batch_last", [False, True])
def test_groups_are_convolutions_side_by_side(batch_last):
    x = jnp.asarray(RNG.normal(size=(2, 4, 4, 6)))
    kernel = RNG.normal(size=(3, 3, 2, 9))  # three groups of 2 channels become 3 each
    parts = [
        Conv(3, dtype=jnp.float64, use_bias=False).apply(
            {"params": {"kernel": kernel[..., 3 * i : 3 * i + 3]}}, x[..., 2 * i : 2 * i + 2]
        )
        for i in range(3)
    ]
    for lowering in ("stock", "matmul"):
        layer = Conv(
            9, groups=3, use_bias=False, lowering=lowering, batch_last=batch_last, dtype=jnp.float64
        )
        y = layer.apply({"params": {"kernel": kernel}}, to_batch_last(x) if batch_last else x)
        y = to_batch_first(y) if batch_last else y
        np.testing.assert_allclose(y, np.concatenate(parts, -1), rtol=1e-10)
