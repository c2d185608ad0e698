r"""Flow matching: a velocity field that carries noise at time 0 to data at time 1.

The field is the solution of a regression, the ordinary differential equation `dx/dt = v(x, t)` then
makes samples of noise, and gives the likelihood of data. Everything takes the field as a function
`velocity(x_Bx…, time_B) -> v_Bx…`.

Source: Lipman et al. 2023 (Flow matching for generative modeling) with conditional optimal
transport paths; with `sigma_min = 0` the same as Liu et al. 2023 (Flow straight and fast: rectified
flow).
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.losses.reconstruction import squared_error
from genjax.ops.precision import at_least_float32, sum_elements

Velocity = Callable[[jax.Array, jax.Array], jax.Array]
METHODS = ("euler", "heun")


def conditional_path(
    noise: jax.Array, data: jax.Array, time_B: jax.Array, *, sigma_min: float = 0.0
) -> tuple[jax.Array, jax.Array]:
    """Points on the straight paths from noise to data, and the velocities along them.

    `x_t = (1 - (1 - sigma_min) t) noise + t data`, and `data - (1 - sigma_min) noise`.
    Source: Lipman et al. 2023, equations 22 and 23.

    Args:
      noise, data: (B, …), same shape; noise is standard normal.
      time_B: (B,), in [0, 1]; of a single time, `jnp.full(B, time)`.
      sigma_min: standard deviation of what is left of the noise at time 1; in [0, 1).

    Raises:
      ValueError: another shape or dtype; or, where values are known, one out of range.
    """
    sizes = checks.floats("B …", noise=noise, data=data)
    checks.floats("B", sizes, time_B=time_B)
    checks.within("time_B", time_B, 0, 1)
    checks.number("sigma_min", sigma_min, 0, below=1)
    time = time_B.reshape(-1, *[1] * (data.ndim - 1)).astype(data.dtype)
    velocity = data - (1.0 - sigma_min) * noise
    return noise + time * velocity, velocity


def flow_matching_loss(
    velocity: Velocity, noise: jax.Array, data: jax.Array, time_B: jax.Array, *,
    sigma_min: float = 0.0,
) -> jax.Array:  # fmt: skip
    """Mean over an example's elements of `(v(x_t, t) - target)^2`; shape (B,).

    Its minimum, the spread of the velocities that meet in a point, is above 0.
    Source: Lipman et al. 2023, equation 23.

    Args:
      velocity: the field that is learned; what it returns has the shape of `data`.
      noise, data, time_B, sigma_min: see `conditional_path`.
    """
    x, target = conditional_path(noise, data, time_B, sigma_min=sigma_min)
    return squared_error(_checked("velocity", velocity(x, time_B), x), target)


def integrate(
    field: Callable[[Any, jax.Array], Any], x: Any, *, steps: int, method: str = "heun",
    start: float = 0.0, end: float = 1.0,
) -> Any:  # fmt: skip
    """The solution at time `end` of `dx/dt = field(x, t)` that is `x` at time `start`.

    Equal steps in one device loop, differentiable both ways.

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
    jax.tree.map(lambda s, a: _checked("field", s, a), slope, x)
    return slope


def _checked(function: str, result: jax.Array, x: jax.Array) -> jax.Array:
    if jnp.shape(result) != jnp.shape(x):
        shapes = f"the shape of x, {jnp.shape(x)}, not {jnp.shape(result)}"
        raise ValueError(f"{function}(x, time): must have {shapes}")
    return result


def flow_log_likelihood(
    velocity: Velocity, data: jax.Array, probe: jax.Array, *, steps: int, method: str = "heun"
) -> jax.Array:
    """Log-density of `data` under the flow of standard normal noise, in nats; shape (B,).

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
            return _checked("velocity", velocity(x, jnp.broadcast_to(time, x.shape[:1])), x)

        slope, change = jax.jvp(at, (state[0],), (probe,))
        return slope, sum_elements(at_least_float32(probe) * at_least_float32(change))

    start = (data, jnp.zeros(data.shape[0], jnp.promote_types(data.dtype, jnp.float32)))
    # From 1 to 0, the integral of the divergence comes with a minus.
    noise, minus_divergence_B = integrate(
        field, start, steps=steps, method=method, start=1.0, end=0.0
    )
    size = math.prod(data.shape[1:])
    log_normal_B = -0.5 * (
        sum_elements(jnp.square(at_least_float32(noise))) + size * math.log(2 * math.pi)
    )
    return log_normal_B + minus_divergence_B
