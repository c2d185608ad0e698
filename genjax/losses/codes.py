"""Penalties on the code of an autoencoder: on its units' activity, and on its Jacobian."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.precision import at_least_float32, sum_elements


def sparsity_kl(rate: jax.Array, target: float, *, epsilon: float = 1e-6) -> jax.Array:
    """Computes KL(Bernoulli(target) || Bernoulli(rate)), in nats; same shape as `rate`.

    `t log(t / r) + (1 - t) log((1 - t) / (1 - r))`, where r is the mean activation of a sigmoid
    unit over a batch. Source: Ng 2011 (Sparse autoencoder, CS294A lecture notes), section 3.

    Args:
      rate: mean activations, in [0, 1].
      target: the rate that costs nothing, in (0, 1).
      epsilon: rates are kept so far from 0 and 1, where the divergence is infinite.

    Examples:
      >>> sparsity_kl(jnp.array([0.2, 0.8]), 0.2).round(4)  # 0, and 0.6 log 4
      Array([0.    , 0.8318], dtype=float32)
    """
    checks.floats("…", rate=rate)
    checks.within("rate", rate, 0, 1)
    checks.number("target", target, above=0, below=1)
    rate = jnp.clip(at_least_float32(rate), epsilon, 1.0 - epsilon)
    off = (1.0 - target) * jnp.log((1.0 - target) / (1.0 - rate))
    return target * jnp.log(target / rate) + off


def contractive_penalty(encode: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """Computes `||d code / d x||_F^2`, the squared norm of each example's Jacobian; shape (B,).

    The norm is exact for encoders of any depth: it takes one reverse pass for each element of the
    code, all in one vmap. Source: Rifai et al. 2011 (Contractive auto-encoders), equation 2.

    Args:
      encode: `encode(x_Bx…) -> code_BxZ`; must not mix examples.
      x: (B, …), where the Jacobian is taken.

    Raises:
      ValueError: codes of another shape.

    Examples:
      >>> contractive_penalty(lambda x: 3 * x, jnp.ones((1, 2)))
      Array([18.], dtype=float32)
    """
    sizes = checks.floats("B …", x=x)
    code_BxZ, pullback = jax.vjp(encode, x)
    checks.floats("B Z", sizes, **{"encode(x)": code_BxZ})
    directions_ZxBxZ = jnp.broadcast_to(
        jnp.eye(code_BxZ.shape[1], dtype=code_BxZ.dtype)[:, None],
        (code_BxZ.shape[1], *code_BxZ.shape),
    )
    # As no example mixes, one pullback gives every example its own row of its own Jacobian.
    (rows,) = jax.vmap(pullback)(directions_ZxBxZ)
    return sum_elements(jnp.square(at_least_float32(jnp.moveaxis(rows, 0, 1))))
