"""Schedules for the weight of a term of a loss."""

import jax
import jax.numpy as jnp

from genjax.core import checks

ANNEALINGS = ("constant", "linear", "sigmoid", "cyclical")
_STEEPNESS = 12.0  # of the sigmoid: it rises from 0.0025 to 0.9975


def annealed(step: jax.Array | int, kind: str, steps: int, cycles: int = 1) -> jax.Array:
    """Computes a weight in [0, 1] that is 1, or nearly, from step `steps` on; float32.

    With t = step / steps:

    - `"constant"`: 1.
    - `"linear"`: min(1, t).
    - `"sigmoid"`: the logistic function of 12 (t - 1/2). Source: Bowman et al. 2016 (Generating
      sentences from a continuous space), section 3.1.
    - `"cyclical"`: the weight rises linearly in `steps`, stays at 1 for as many, and begins anew,
      `cycles` times in all; then it stays. Source: Fu et al. 2019 (Cyclical annealing schedule),
      equation 6 with R = 1/2.

    Args:
      step: number of the update, from 1 on.
      kind: of `ANNEALINGS`.
      steps: of the rise, at least 1 unless constant.
      cycles: see above; at least 1.

    Raises:
      ValueError: an unknown kind, or a rise or cycles of no length.

    Examples:
      >>> annealed(5, "linear", steps=20)
      Array(0.25, dtype=float32)
    """
    checks.chosen("kind", kind, ANNEALINGS)
    if kind != "constant":
        checks.whole("steps", steps, 1)
    checks.whole("cycles", cycles, 1)
    if kind == "constant":
        return jnp.ones(())
    step = jnp.asarray(step, jnp.float32)
    if kind == "sigmoid":
        return jax.nn.sigmoid(_STEEPNESS * (step / steps - 0.5))
    if kind == "cyclical":
        step = jnp.where(step < 2 * steps * cycles, step % (2 * steps), steps)
    return jnp.minimum(step / steps, 1.0)
