"""Normalization: values and gradients against the plain form, differentiated once and twice."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.ops.norm import normalize

X, SCALE, BIAS, TO = (
    jnp.asarray(np.random.default_rng(i).normal(size=shape), jnp.float32)
    for i, shape in enumerate([(3, 4, 6), (6,), (6,), (3, 4, 6)])
)
EPSILON = 0.1
CASES = [(True, True), (True, False), (False, False), (False, True)]  # centered, with a bias


def plain(x, scale, bias, centered):
    x = x - x.mean(-1, keepdims=True) if centered else x
    x = x / jnp.sqrt((x**2).mean(-1, keepdims=True) + EPSILON) * scale
    return x if bias is None else x + bias


def fast(x, scale, bias, centered):
    return normalize(x, scale, bias, EPSILON, centered)


@pytest.mark.parametrize(("centered", "biased"), CASES)
def test_values_and_gradients_are_those_of_the_plain_form(centered, biased):
    arguments = (X, SCALE, BIAS if biased else None)

    def gradient(f):
        return jax.grad(lambda a: jnp.sin(f(*a, centered) * TO).sum())

    def along(f):
        """The second derivative along a direction, forward over reverse and reverse over it."""
        directions = jax.tree.map(lambda a: jnp.cos(7 * a), arguments)
        forward = jax.jvp(gradient(f), (arguments,), (directions,))[1]
        dot = jax.grad(
            lambda a: sum(jax.tree.leaves(jax.tree.map(jnp.vdot, gradient(f)(a), directions)))
        )
        return forward, dot(arguments)

    for of in (lambda f: f(*arguments, centered), lambda f: gradient(f)(arguments), along):
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5),
            jax.jit(lambda of=of: of(fast))(), jax.jit(lambda of=of: of(plain))(),
        )  # fmt: skip


def test_rows_are_by_themselves():
    one = fast(X[1:2, 2], SCALE, BIAS, True)
    np.testing.assert_allclose(fast(X, SCALE, BIAS, True)[1, 2], one[0], rtol=1e-5)
