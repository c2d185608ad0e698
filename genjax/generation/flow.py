"""Samples and likelihoods of a velocity field, by the ordinary differential equation that it sets.

The equation `dx/dt = v(x, t)` carries noise at time 0 to data at time 1, and back.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.precision import at_least_float32, at_least_float32_dtype, sum_elements

METHODS = ("euler", "heun")


def integrate(
    field: Callable[[Any, jax.Array], Any],
    x: Any,
    *,
    steps: int,
    method: str = "heun",
    start: float = 0.0,
    end: float = 1.0,
) -> Any:
    """Solves `dx/dt = field(x, t)` from time `start`, where it is `x`, to time `end`.

    It takes equal steps in one loop on the device, and is differentiable in both modes.

    Args:
      field: of `x` and the time, a scalar, to the derivative; same structure as `x`.
      x: pytree of arrays.
      steps: number of steps, at least 1.
      method: `"euler"`, one evaluation of the field a step, with an error of order 1 / steps; or
        `"heun"`, two, with an error of order 1 / steps^2.
      start, end: times; `end` may lie before `start`.

    Raises:
      ValueError: unknown method, no step, or a derivative of another structure or shape than x.
    """
    checks.chosen("method", method, METHODS)
    checks.whole("steps", steps, 1)
    checks.number("start", start)
    checks.number("end", end)
    size = (end - start) / steps

    def along(x: Any, slope: Any, by: float) -> Any:
        return jax.tree.map(lambda a, s: a + by * s, x, slope)

    def advance(i: jax.Array, x: Any) -> Any:
        time = start + size * jnp.asarray(i, jnp.float32)
        slope = _derivative(field, x, time)
        if method == "euler":
            return along(x, slope, size)
        there = _derivative(field, along(x, slope, size), time + size)
        return along(along(x, slope, size / 2), there, size / 2)

    return jax.lax.fori_loop(0, steps, advance, x)


def _derivative(field: Callable[[Any, jax.Array], Any], x: Any, time: jax.Array) -> Any:
    slope = field(x, time)
    wanted: Any = jax.tree.structure(x)
    if wanted != jax.tree.structure(slope):
        raise ValueError("field(x, time): must have the structure of x")
    jax.tree.map(lambda s, a: checks.like("field(x, time)", s, "x", a), slope, x)
    return slope


def flow_log_likelihood(
    velocity: Callable[[jax.Array, jax.Array], jax.Array],
    data: jax.Array,
    probe: jax.Array,
    *,
    steps: int,
    method: str = "heun",
) -> jax.Array:
    """Computes the log-density of `data` under the flow of standard normal noise, in nats, (B,).

    `log p(x_1) = log N(x_0; 0, 1) - integral of div v`, integrated from 1 back to 0, with
    Hutchinson's estimate `probe . (dv/dx) probe` of the divergence. The estimate of the integral is
    unbiased for the discretized flow. Source: Chen et al. 2018 (Neural ordinary differential
    equations), theorem 1; Grathwohl et al. 2019 (FFJORD), equation 8.

    Args:
      velocity: the field.
      data: (B, …).
      probe: like `data`, of independent elements of mean 0 and variance 1, such as random signs.
      steps, method: see `integrate`.
    """
    checks.floats("B …", data=data, probe=probe)

    def field(state: Any, time: jax.Array) -> Any:
        def at(x: jax.Array) -> jax.Array:
            output = velocity(x, jnp.broadcast_to(time, x.shape[:1]))
            checks.like("velocity(x, time)", output, "x", x)
            return output

        slope, change = jax.jvp(at, (state[0],), (probe,))
        return slope, sum_elements(at_least_float32(probe) * at_least_float32(change))

    start = (data, jnp.zeros(data.shape[0], at_least_float32_dtype(data.dtype)))
    # From 1 to 0, the integral of the divergence comes with a minus.
    noise, minus_divergence_B = integrate(
        field, start, steps=steps, method=method, start=1.0, end=0.0
    )
    size = math.prod(data.shape[1:])
    log_normal_B = -0.5 * (
        sum_elements(jnp.square(at_least_float32(noise))) + size * math.log(2 * math.pi)
    )
    return log_normal_B + minus_divergence_B
