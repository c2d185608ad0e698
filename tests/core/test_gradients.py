"""Accumulated gradients equal those of the large batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.core.batch import AXIS
from genjax.core.gradients import value_and_grad

PARAMS = {"w": jnp.array([[0.3], [-0.7], [0.2]]), "b": jnp.zeros(())}


def draw(n=12):
    rng = np.random.default_rng(0)
    return {"x": jnp.float32(rng.normal(size=(n, 3))), "y": jnp.float32(rng.normal(size=n))}


def loss(params, batch, part):
    del part
    error_B = jnp.tanh(batch["x"] @ params["w"])[:, 0] + params["b"] - batch["y"]
    return jnp.square(error_B).mean(), {"error": error_B.mean()}


def close(actual, expected):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), actual, expected
    )


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 12])
def test_parts_equal_the_whole(parts):
    batch = draw()
    expected = jax.value_and_grad(loss, has_aux=True)(PARAMS, batch, 0)
    close(value_and_grad(loss, PARAMS, batch, accumulate_steps=parts), expected)


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_parts_over_devices_equal_the_whole(parts):
    batch = draw()
    expected = jax.value_and_grad(loss, has_aux=True)(PARAMS, batch, 0)
    split = jax.tree.map(lambda x: x.reshape(2, 6, *x.shape[1:]), batch)
    each = jax.vmap(
        lambda b: value_and_grad(loss, PARAMS, b, accumulate_steps=parts),
        axis_name=AXIS,
    )(split)
    for device in range(2):
        close(jax.tree.map(lambda x, i=device: x[i], each), expected)


def test_parts_are_numbered_and_see_every_row_once():
    def noisy(params, batch, part):
        rows = jnp.zeros((3, 6)).at[part, batch["row"]].set(1.0)
        return params * rows.mean(), rows

    batch = {"row": jnp.arange(6)}
    (_, rows), _ = value_and_grad(noisy, jnp.ones(()), batch, accumulate_steps=3)
    np.testing.assert_allclose(rows.sum(0), 1 / 3, rtol=1e-6)  # each row in one of three parts
    np.testing.assert_allclose(rows.sum(1), 2 / 3, rtol=1e-6)  # two rows a part


def test_bfloat16_parts_keep_the_type_of_the_whole():
    batch = jax.tree.map(jnp.bfloat16, draw())
    params = jax.tree.map(jnp.bfloat16, PARAMS)
    types = [
        jax.tree.map(lambda x: x.dtype, value_and_grad(loss, params, batch, accumulate_steps=n))
        for n in (1, 3)
    ]
    assert types[0] == types[1]
