"""Means and sums of the global batch, within a program for its devices and outside of one."""

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core.batch import AXIS, batch_mean, batch_sum


def test_means_and_sums_over_the_batch_axis():
    x = jnp.arange(6.0).reshape(3, 2)
    mean, total = jax.vmap(lambda x: (batch_mean({"a": x}), batch_sum(x)), axis_name=AXIS)(x)
    np.testing.assert_allclose(mean["a"], np.broadcast_to(x.mean(0), (3, 2)))
    np.testing.assert_allclose(total, np.broadcast_to(x.sum(0), (3, 2)))
    assert batch_mean(x) is x and batch_sum(x) is x
