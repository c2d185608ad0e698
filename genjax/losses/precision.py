"""The one rule for the precision of reductions."""

import jax
import jax.numpy as jnp


def wide(x: jax.Array) -> jax.Array:
    """`x` in at least float32, so that bfloat16 compute still sums in float32; float64 stays."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))
