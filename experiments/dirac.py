r"""The Dirac-GAN: the smallest game in which training of GANs goes round in circles.

The real distribution is a point at 0, the generated one a point at theta, and the critic is linear,
D(x) = psi x. The only equilibrium is (0, 0). Near it the players' simultaneous gradient flow is
linear and its eigenvalues tell all: on the imaginary axis it circles, left of it it converges.
Source: Mescheder et al. 2018 (Which training methods for GANs do actually converge?), section 2.

The losses and penalties are those of `genjax.losses` that networks are trained with.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax import losses

_NODES = 32  # of the Gauss-Hermite quadrature over instance noise


class Method(NamedTuple):
    """The settings of the game.

    Attributes:
      game: a key of `losses.ADVERSARIAL_LOSSES`.
      r1: weight gamma of R1.
      wgan_gp: weight of the penalty of WGAN-GP.
      instance_noise: its standard deviation.
      critic_rate: the critic's learning rate over the generator's.
    """

    game: str = "non_saturating"
    r1: float = 0.0
    wgan_gp: float = 0.0
    instance_noise: float = 0.0
    critic_rate: float = 1.0


METHODS = {
    "minimax": Method("minimax"),
    "non_saturating": Method(),
    "two_timescale": Method(critic_rate=4.0),
    "instance_noise": Method(instance_noise=0.7),
    "r1": Method(r1=0.3),
    "wgan": Method("wasserstein"),
    "wgan_gp": Method("wasserstein", wgan_gp=0.3),
}


def velocity(method: Method, point_2: jax.Array) -> jax.Array:
    """Computes the negative gradients of both players at (theta, psi), shape (2,)."""
    theta, psi = point_2
    game = losses.ADVERSARIAL_LOSSES[method.game]
    noise, weight = _quadrature(method.instance_noise)

    def critic(psi: jax.Array, x_Bx1: jax.Array) -> jax.Array:
        return psi * x_Bx1[:, 0]

    def critic_loss(psi: jax.Array) -> jax.Array:
        # A sum of one term of the real and one of the generated score: both may share the nodes.
        each = game.critic(critic(psi, noise), critic(psi, theta + noise))
        # The gradient is psi wherever the penalty is taken.
        r1 = losses.r1_penalty(lambda x: critic(psi, x), noise[:1])[0]
        wgan_gp = losses.input_gradient_penalty(lambda x: critic(psi, x), noise[:1])[0]
        return (weight * each).sum() + method.r1 * r1 + method.wgan_gp * wgan_gp

    def generator_loss(theta: jax.Array) -> jax.Array:
        return (weight * game.generator(critic(psi, theta + noise))).sum()

    rate = method.critic_rate
    return -jnp.stack([jax.grad(generator_loss)(theta), rate * jax.grad(critic_loss)(psi)])


def update(
    method: Method, point_2: jax.Array, step_size: float, *, alternating: bool = True
) -> jax.Array:
    """Makes a step of gradient descent: the critic's, then the generator's, or both at once."""
    theta, psi = point_2
    psi = psi + step_size * velocity(method, point_2)[1]
    seen = jnp.stack([theta, psi]) if alternating else point_2
    return jnp.stack([theta + step_size * velocity(method, seen)[0], psi])


def play(method: Method, start_2: jax.Array, step_size: float, steps: int) -> jax.Array:
    """Computes the path (steps + 1, 2) of (theta, psi) from `start_2` on, in alternating steps."""

    def step(point: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        new = update(method, point, step_size)
        return new, new

    _, path = jax.lax.scan(step, start_2, None, length=steps)
    return jnp.concatenate([start_2[None], path])


def eigenvalues(method: Method) -> np.ndarray:
    """Computes the eigenvalues of the flow's Jacobian at the equilibrium, complex (2,).

    WGAN-GP has none: its penalty has a kink there.
    """
    return _spectrum(lambda point: velocity(method, point))


def spectral_radius(method: Method, step_size: float, *, alternating: bool = True) -> float:
    """Computes the spectral radius of a step at the equilibrium.

    Below 1 it converges, at 1 it circles, above 1 it diverges.
    """
    step = _spectrum(lambda point: update(method, point, step_size, alternating=alternating))
    return float(np.abs(step).max())


def _spectrum(f: Callable[[jax.Array], jax.Array]) -> np.ndarray:
    return np.linalg.eigvals(np.asarray(jax.jit(jax.jacfwd(f))(jnp.zeros(2)), np.float64))


def _quadrature(stddev: float) -> tuple[jax.Array, jax.Array]:
    """Returns nodes (B, 1) and weights (B,) of the expectation over N(0, stddev^2)."""
    if not stddev:
        return jnp.zeros((1, 1)), jnp.ones(1)
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return jnp.asarray(stddev * nodes[:, None]), jnp.asarray(weights / weights.sum())
