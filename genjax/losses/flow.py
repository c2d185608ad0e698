r"""Flow matching: a velocity field that carries noise at time 0 to data at time 1.

The field is the solution of a regression; `genjax.generation.flow` then makes samples of noise by
the ordinary differential equation `dx/dt = v(x, t)`. Losses take the field as a function
`velocity(x_Bx…, time_B) -> v_Bx…`.

Source: Lipman et al. 2023 (Flow matching for generative modeling) with conditional optimal
transport paths; with `sigma_min = 0` the same as Liu et al. 2023 (Flow straight and fast: rectified
flow).
"""

from collections.abc import Callable

import jax

from genjax.core import checks
from genjax.losses.reconstruction import squared_error

_Velocity = Callable[[jax.Array, jax.Array], jax.Array]


def conditional_path(
    noise: jax.Array, data: jax.Array, time_B: jax.Array, *, sigma_min: float = 0.0
) -> tuple[jax.Array, jax.Array]:
    """Computes points on the straight paths from noise to data, and the velocities along them.

    `x_t = (1 - (1 - sigma_min) t) noise + t data`, and `data - (1 - sigma_min) noise`.
    Source: Lipman et al. 2023, equations 22 and 23.

    Args:
      noise, data: (B, …), same shape; noise is standard normal.
      time_B: (B,), in [0, 1]; of a single time, `jnp.full(B, time)`.
      sigma_min: standard deviation of what is left of the noise at time 1; in [0, 1).

    Raises:
      ValueError: another shape or dtype; or, where values are known, one out of range.

    Examples:
      >>> import jax.numpy as jnp
      >>> conditional_path(jnp.array([2.0]), jnp.array([6.0]), jnp.array([0.25]))
      (Array([3.], dtype=float32), Array([4.], dtype=float32))
    """
    sizes = checks.floats("B …", noise=noise, data=data)
    checks.floats("B", sizes, time_B=time_B)
    checks.within("time_B", time_B, 0, 1)
    checks.number("sigma_min", sigma_min, 0, below=1)
    time = time_B.reshape(-1, *[1] * (data.ndim - 1)).astype(data.dtype)
    velocity = data - (1.0 - sigma_min) * noise
    return noise + time * velocity, velocity


def flow_matching_loss(
    velocity: _Velocity,
    noise: jax.Array,
    data: jax.Array,
    time_B: jax.Array,
    *,
    sigma_min: float = 0.0,
) -> jax.Array:
    """Computes the mean over an example's elements of `(v(x_t, t) - target)^2`; shape (B,).

    Its minimum, the spread of the velocities that meet in a point, is above 0.
    Source: Lipman et al. 2023, equation 23.

    Args:
      velocity: the field that is learned; it returns arrays of the shape of `data`.
      noise, data, time_B, sigma_min: see `conditional_path`.

    Examples:
      >>> import jax.numpy as jnp
      >>> flow_matching_loss(lambda x, t: x, jnp.array([2.0]), jnp.array([6.0]), jnp.array([0.25]))
      Array([1.], dtype=float32)
    """
    x, target = conditional_path(noise, data, time_B, sigma_min=sigma_min)
    output = velocity(x, time_B)
    checks.like("velocity(x, time)", output, "x", x)
    return squared_error(output, target)
