"""Corruption of inputs, for denoising autoencoders."""

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.core.random import batch_normal, batch_uniform

CORRUPTIONS = ("none", "gaussian", "masking", "salt_and_pepper")


def corrupt(x: jax.Array, key: jax.Array, kind: str, level: float) -> jax.Array:
    """Adds noise of one kind to `x`, drawn for the global batch; same shape and dtype.

    - `"gaussian"`: normal noise of standard deviation `level` is added.
    - `"masking"`: each element becomes 0 with probability `level`.
    - `"salt_and_pepper"`: each element becomes 0 or 1, one as likely as the other, with
      probability `level`.
    - `"none"`: `x` itself.

    Source: Vincent et al. 2010 (Stacked denoising autoencoders), section 3.3.

    Args:
      x: (B, …).
      key: PRNG key.
      kind: one of `CORRUPTIONS`.
      level: see above.

    Raises:
      ValueError: unknown kind, or a level out of range.
    """
    checks.chosen("kind", kind, CORRUPTIONS)
    checks.floats("B …", x=x)
    checks.key("key", key)
    checks.number("level", level, 0)
    if kind == "none":
        return x
    if kind == "gaussian":
        return x + level * batch_normal(key, x.shape).astype(x.dtype)
    u = batch_uniform(key, x.shape)
    if kind == "masking":
        return jnp.where(u < level, 0.0, x).astype(x.dtype)
    return jnp.where(u < level, u < level / 2, x).astype(x.dtype)
