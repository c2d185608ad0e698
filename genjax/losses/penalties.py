r"""Penalties on the gradient of a critic with respect to its input.

Every function takes a critic as a function of its input, `critic(x_Bx…) -> score_B`, and returns
one float32 value for each example; the caller takes the mean and the weight. The critic must not
mix examples, as batch normalization does: each norm is one of an example's own gradient. Scores of
another shape than (B,), such as (B, 1), raise `ValueError`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.precision import at_least_float32

_Critic = Callable[[jax.Array], jax.Array]
FORMULATIONS = ("reverse_over_reverse", "forward_over_reverse")


def interpolate(real: jax.Array, fake: jax.Array, weight_B: jax.Array) -> jax.Array:
    """Computes points on the lines between pairs: `weight * real + (1 - weight) * fake`.

    Args:
      real, fake: (B, …), same shape.
      weight_B: one for each pair; uniform in [0, 1) for the gradient penalty.

    Examples:
      >>> interpolate(jnp.full((1, 2), 4.0), jnp.zeros((1, 2)), jnp.array([0.25]))
      Array([[1., 1.]], dtype=float32)
    """
    sizes = checks.floats("B …", real=real, fake=fake)
    checks.floats("B", sizes, weight_B=weight_B)
    weight = weight_B.reshape(-1, *[1] * (real.ndim - 1)).astype(real.dtype)
    return fake + weight * (real - fake)


def gradient_penalty(
    critic: _Critic, real: jax.Array, fake: jax.Array, weight_B: jax.Array, **settings: Any
) -> jax.Array:
    r"""Computes WGAN-GP's penalty, (B,): `(||grad_x D(x)|| - target)^2` between real and fake.

    The point x lies on the line between a real and a fake example, one x for each pair.
    Source: Gulrajani et al. 2017 (Improved training of Wasserstein GANs), equation 3.

    Args:
      critic: a function of examples.
      real, fake: (B, …), same shape. No gradient is stopped here.
      weight_B: of the real examples, uniform in [0, 1).
      **settings: of `input_gradient_penalty`.

    Examples:
      >>> real, fake = jnp.ones((1, 2)), jnp.zeros((1, 2))  # gradient (3, 4), norm 5
      >>> gradient_penalty(lambda x: x @ jnp.array([3.0, 4.0]), real, fake, jnp.array([0.5]))
      Array([16.], dtype=float32)
    """
    return input_gradient_penalty(critic, interpolate(real, fake, weight_B), **settings)


def input_gradient_penalty(
    critic: _Critic,
    x: jax.Array,
    *,
    target: float = 1.0,
    one_sided: bool = False,
    formulation: str = "reverse_over_reverse",
    epsilon: float = 1e-12,
) -> jax.Array:
    r"""Computes `(||grad_x D(x)|| - target)^2` for each example at the given points, (B,), float32.

    The norm runs over all axes but the first and is `sqrt(sum g^2 + epsilon)`, so that a critic
    whose gradient vanishes has a finite penalty gradient.

    Args:
      critic: a function of examples.
      x: (B, …), where the penalty is taken.
      target: the norm that costs nothing.
      one_sided: only norms above `target` cost.
      formulation: how the parameter gradient comes about. `"reverse_over_reverse"` differentiates
        the norm, `"forward_over_reverse"` the directional derivative `v . grad_x D(x)` along the
        constant `v = d penalty / d grad_x D`, which has the same parameter gradient; the square
        root stays out of the differentiated graph. Values and gradients with respect to what
        `critic` closes over, and to `x`, are equal.
      epsilon: added under the square root.

    Raises:
      ValueError: unknown formulation, or scores that are not (B,).

    Examples:
      >>> input_gradient_penalty(lambda x: x @ jnp.array([3.0, 4.0]), jnp.zeros((1, 2)))
      Array([16.], dtype=float32)
    """
    checks.chosen("formulation", formulation, FORMULATIONS)
    checks.number("target", target, 0)
    checks.number("epsilon", epsilon, 0)
    gradient = _input_gradient(critic, x)
    if formulation == "reverse_over_reverse":
        return _excess(_norm(gradient, epsilon), target, one_sided) ** 2

    gradient = jax.lax.stop_gradient(gradient)
    norm_B = _norm(gradient, epsilon)
    excess_B = _excess(norm_B, target, one_sided)
    direction = _rows(2 * excess_B / norm_B, gradient) * at_least_float32(gradient)
    return _sloped(excess_B**2, critic, x, direction)


def r1_penalty(
    critic: _Critic, x: jax.Array, *, formulation: str = "reverse_over_reverse"
) -> jax.Array:
    r"""Computes `||grad_x D(x)||^2 / 2`, (B,): R1 at real examples, R2 at generated ones.

    It has no square root and is smooth where the gradient vanishes. The half is here and the
    weight gamma at the caller, as in `R1 = gamma / 2 * E ||grad D||^2`.
    Source: Mescheder et al. 2018 (Which training methods for GANs do actually converge?), eq. 9.

    Args:
      critic: a function of examples.
      x: (B, …), where the penalty is taken.
      formulation: see `input_gradient_penalty`.

    Raises:
      ValueError: unknown formulation, or scores that are not (B,).

    Examples:
      >>> r1_penalty(lambda x: x @ jnp.array([3.0, 4.0]), jnp.zeros((1, 2)))
      Array([12.5], dtype=float32)
    """
    checks.chosen("formulation", formulation, FORMULATIONS)
    gradient = _input_gradient(critic, x)
    if formulation == "reverse_over_reverse":
        return _squared_norm(gradient) / 2
    gradient = jax.lax.stop_gradient(gradient)
    return _sloped(_squared_norm(gradient) / 2, critic, x, at_least_float32(gradient))


def input_gradient_norm(critic: _Critic, x: jax.Array, *, epsilon: float = 1e-12) -> jax.Array:
    """Computes `||grad_x D(x)||` for each example, (B,), float32.

    Examples:
      >>> input_gradient_norm(lambda x: x @ jnp.array([3.0, 4.0]), jnp.zeros((1, 2)))
      Array([5.], dtype=float32)
    """
    checks.number("epsilon", epsilon, 0)
    return _norm(_input_gradient(critic, x), epsilon)


def _input_gradient(critic: _Critic, x: jax.Array) -> jax.Array:
    sizes = checks.floats("B …", x=x)

    def total(inputs: jax.Array) -> jax.Array:
        score_B = critic(inputs)
        checks.floats("B", sizes, **{"critic(x)": score_B})
        return at_least_float32(score_B).sum()

    # The gradient of the sum is the stack of per-example gradients, since no example mixes.
    gradient: jax.Array = jax.grad(total)(x)
    return gradient


def _sloped(value_B: jax.Array, critic: _Critic, x: jax.Array, direction: jax.Array) -> jax.Array:
    """Gives the constant `value_B` the derivative of the critic's slope along `direction`."""
    _, slope_B = jax.jvp(critic, (x,), (direction.astype(x.dtype),))
    slope_B = at_least_float32(slope_B)
    return value_B + slope_B - jax.lax.stop_gradient(slope_B)


def _squared_norm(gradient: jax.Array) -> jax.Array:
    return jnp.square(at_least_float32(gradient)).sum(range(1, gradient.ndim))


def _norm(gradient: jax.Array, epsilon: float) -> jax.Array:
    return jnp.sqrt(_squared_norm(gradient) + epsilon)


def _excess(norm_B: jax.Array, target: float, one_sided: bool) -> jax.Array:
    excess_B = norm_B - target
    return jnp.maximum(excess_B, 0.0) if one_sided else excess_B


def _rows(value_B: jax.Array, like: jax.Array) -> jax.Array:
    return value_B.reshape(-1, *[1] * (like.ndim - 1))
