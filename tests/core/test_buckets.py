"""Length buckets: the same numbers from fewer places, on one device and on several."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core import tokens
from genjax.core.batch import AXIS
from genjax.core.buckets import by_length

WIDTH = 12
TABLE = jnp.linspace(-1, 1, 50)


def rows(lengths):
    """Rows of the given lengths."""
    at = jnp.arange(WIDTH)
    return jnp.where(at < jnp.array(lengths)[:, None], 5 + at, tokens.PAD)


def value(x):
    """A function that padding does not change, and the width that it saw."""
    return (tokens.is_token(x) * TABLE[x]).sum(), jnp.float32(x.shape[1])


@pytest.mark.parametrize(
    ("lengths", "seen"),
    [((1, 3), 4), ((4, 0), 4), ((5, 2), 8), ((8, 8), 8), ((9, 1), 12), ((0, 0), 4)],
)
def test_the_shortest_length_that_holds_the_batch_is_taken(lengths, seen):
    x = rows(lengths)
    total, width = jax.jit(lambda x: by_length(value, x, edges=(4, 8)))(x)
    assert width == seen
    np.testing.assert_allclose(total, value(x)[0], rtol=1e-6)


def test_gradients_pass_through():
    x = rows((3, 2))

    def loss(table, x):
        return by_length(lambda x: (tokens.is_token(x) * table[x] ** 2).sum(), x, edges=(4, 8))

    got = jax.jit(jax.grad(loss))(TABLE, x)
    np.testing.assert_allclose(got, 2 * TABLE * jnp.bincount(x[x > 0], length=50), rtol=1e-6)


def test_the_longest_of_several_rows_decides_and_short_ones_stay_whole():
    def shapes(x, y):
        return jnp.array([x.shape[1], y.shape[1]])

    y = rows((7, 1))[:, :7]
    assert by_length(shapes, rows((2, 2)), y, edges=(4, 8)).tolist() == [8, 7]
    assert by_length(shapes, rows((2, 2)), y[1:], edges=(4, 8)).tolist() == [4, 4]


def test_without_edges_nothing_is_cut():
    x = rows((1, 1))
    assert by_length(value, x, edges=())[1] == by_length(value, x, edges=(12, 20))[1] == WIDTH


def test_all_devices_take_the_branch_of_the_longest_row():
    x = rows((1, 2, 3, 7)).reshape(4, 1, WIDTH)
    f = jax.vmap(
        lambda x: by_length(
            lambda x: (jax.lax.psum(value(x)[0], AXIS), value(x)[1]),
            x,
            edges=(4, 8),
        ),
        axis_name=AXIS,
    )
    total, width = f(x)
    np.testing.assert_array_equal(width, 8)
    np.testing.assert_allclose(total, value(x.reshape(4, WIDTH))[0], rtol=1e-6)


@pytest.mark.parametrize("edges", [(8, 4), (4, 4), (0, 4)])
def test_wrong_edges_are_refused(edges):
    with pytest.raises(ValueError, match="must be in ascending order and above 0"):
        by_length(value, rows((1,)), edges=edges)
