"""What holds parameters where earlier tasks left them."""

from typing import Any

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.precision import at_least_float32


def quadratic_penalty(params: Any, anchor: Any, importance: Any) -> jax.Array:
    """Computes `sum_i importance_i (params_i - anchor_i)^2` over all leaves of a tree, a scalar.

    With the Fisher information and the factor lambda / 2 it is the penalty of elastic weight
    consolidation (Kirkpatrick et al. 2017, equation 3), with the path integral and the factor c
    that of synaptic intelligence (Zenke et al. 2017, equation 4).

    Args:
      params, anchor, importance: trees of float arrays, alike.

    Examples:
      >>> quadratic_penalty(jnp.array([1.0, 2.0]), jnp.zeros(2), jnp.array([3.0, 0.5]))
      Array(5., dtype=float32)
    """

    def one(p: jax.Array, a: jax.Array, i: jax.Array) -> jax.Array:
        sizes = checks.floats("…", params=p)
        checks.floats("…", sizes, anchor=a, importance=i)
        p, a, i = (at_least_float32(x) for x in (p, a, i))
        return (i * jnp.square(p - a)).sum()

    each = jax.tree.map(one, params, anchor, importance)
    total: jax.Array = jax.tree.reduce(jnp.add, each)
    return total
