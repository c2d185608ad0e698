"""An operation against its plain form: value, first and second derivative."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def assert_agree(
    op: Callable[..., Any], plain: Callable[..., Any], *arguments: Any, order: int = 2
) -> None:
    """Compares two functions of float64 arrays (trees of them), up to the derivative `order`."""
    got, expected = (_derivatives(f, order, arguments) for f in (op, plain))
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected)):
        assert a.dtype == b.dtype == jnp.float64
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11 * max(1, np.abs(b).max(initial=0)))


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    """Standard normal numbers, others for each seed and shape."""
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def _derivatives(f: Callable[..., Any], order: int, arguments: Any) -> Any:
    functions = [lambda a: f(*a)]
    for _ in range(order):
        functions.append(jax.grad(lambda a, of=functions[-1]: _number(of(a))))
    return jax.jit(lambda a: [of(a) for of in functions])(arguments)


def _number(tree: Any) -> jax.Array:
    """A number with a gradient that differs from element to element."""
    return sum(
        (jnp.cos(jnp.arange(x.size) + 1.0).reshape(x.shape) * jnp.sin(x)).sum()
        for x in jax.tree.leaves(tree)
    )
