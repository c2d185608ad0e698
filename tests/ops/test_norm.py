"""Normalization against its plain form, differentiated once and twice."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.ops.norm import normalize
from tests.ops.agree import assert_agree, draw

X, SCALE, BIAS = draw(3, 4, 6), draw(6), draw(6, seed=1)
EPSILON = 0.1


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("bias", [BIAS, None], ids=["biased", "unbiased"])
def test_it_is_the_plain_form(centered, bias):
    def plain(x, scale, bias):
        x = x - x.mean(-1, keepdims=True) if centered else x
        x = x / jnp.sqrt((x**2).mean(-1, keepdims=True) + EPSILON) * scale
        return x if bias is None else x + bias

    def ours(x, scale, bias):
        return normalize(x, scale, bias, EPSILON, centered)

    assert_agree(ours, plain, X, SCALE, bias)

    def along(f):
        """Forward over reverse, beside the reverse over reverse above."""
        gradient = jax.grad(lambda x: jnp.sin(f(x, SCALE, bias)).sum())
        return jax.jvp(gradient, (X,), (np.cos(X),))[1]

    np.testing.assert_allclose(along(ours), along(plain), rtol=1e-9, atol=1e-12)
    flat = jax.grad(lambda x: ours(x, SCALE, bias).sum())(np.zeros((1, 6)))
    assert jnp.isfinite(flat).all()
