r"""Losses of the two players of adversarial training, from the scores that a critic gives.

A score is a real number, the larger the more real the critic takes an example for; where a paper
has a probability, it is `sigmoid(score)`, and the logarithm is taken of the score without overflow.
Every function returns one float32 value for each example (each pair of a real and a generated one);
the caller takes the mean. Scores have the shape (B,), or () under `vmap`: others, such as (B, 1),
raise `ValueError`. Penalties on the critic's gradient are in `genjax.losses.penalties`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.precision import at_least_float32


def minimax_critic_loss(
    real_score_B: jax.Array, fake_score_B: jax.Array, *, label_smoothing: float = 0.0
) -> jax.Array:
    """Computes -log p(real) - log(1 - p(fake)), (B,); also the critic's in the non-saturating game.

    With `label_smoothing` s, real examples have the label 1 - s and generated ones keep 0
    (one-sided, Salimans et al. 2016, section 3.4). Source: Goodfellow et al. 2014, equation 1.

    Examples:
      >>> minimax_critic_loss(jnp.zeros(1), jnp.zeros(1)) / jnp.log(2.0)
      Array([2.], dtype=float32)
    """
    _smoothing(label_smoothing)
    real, fake = _pair(real_score_B, fake_score_B)
    # (1 - s) softplus(-r) + s softplus(r), as softplus(r) = r + softplus(-r)
    return jax.nn.softplus(-real) + label_smoothing * real + jax.nn.softplus(fake)


def minimax_generator_loss(fake_score_B: jax.Array) -> jax.Array:
    """Computes log(1 - p(fake)), (B,), whose gradient vanishes where the critic is sure.

    Source: Goodfellow et al. 2014, equation 1.

    Examples:
      >>> minimax_generator_loss(jnp.zeros(1)) / jnp.log(2.0)
      Array([-1.], dtype=float32)
    """
    return -jax.nn.softplus(_score(fake_score_B))


def non_saturating_generator_loss(fake_score_B: jax.Array) -> jax.Array:
    """Computes -log p(fake), (B,). Source: Goodfellow et al. 2014, section 3.

    Examples:
      >>> non_saturating_generator_loss(jnp.zeros(1)) / jnp.log(2.0)
      Array([1.], dtype=float32)
    """
    return jax.nn.softplus(-_score(fake_score_B))


def least_squares_critic_loss(
    real_score_B: jax.Array, fake_score_B: jax.Array, *, label_smoothing: float = 0.0
) -> jax.Array:
    """Computes ((D(real) - 1)^2 + D(fake)^2) / 2, (B,).

    With `label_smoothing` s, the target of real examples is 1 - s.
    Source: Mao et al. 2017 (Least squares GAN), equation 2 with the 0-1 coding (equation 9).

    Examples:
      >>> least_squares_critic_loss(jnp.array([2.0, 0.0]), jnp.array([0.5, -3.0]))
      Array([0.625, 5.   ], dtype=float32)
    """
    _smoothing(label_smoothing)
    real, fake = _pair(real_score_B, fake_score_B)
    return (jnp.square(real - (1.0 - label_smoothing)) + jnp.square(fake)) / 2


def least_squares_generator_loss(fake_score_B: jax.Array) -> jax.Array:
    """Computes (D(fake) - 1)^2 / 2, (B,). Source: Mao et al. 2017, as above.

    Examples:
      >>> least_squares_generator_loss(jnp.array([0.5, -3.0]))
      Array([0.125, 8.   ], dtype=float32)
    """
    return jnp.square(_score(fake_score_B) - 1.0) / 2


def hinge_critic_loss(real_score_B: jax.Array, fake_score_B: jax.Array) -> jax.Array:
    """Computes max(0, 1 - D(real)) + max(0, 1 + D(fake)), (B,).

    Source: Lim and Ye 2017 (Geometric GAN); Miyato et al. 2018 (Spectral normalization), eq. 16.

    Examples:
      >>> hinge_critic_loss(jnp.array([2.0, 0.0]), jnp.array([0.5, -3.0]))
      Array([1.5, 1. ], dtype=float32)
    """
    real, fake = _pair(real_score_B, fake_score_B)
    return jax.nn.relu(1.0 - real) + jax.nn.relu(1.0 + fake)


def hinge_generator_loss(fake_score_B: jax.Array) -> jax.Array:
    """Computes -D(fake), (B,). Source: Miyato et al. 2018, equation 17.

    Examples:
      >>> hinge_generator_loss(jnp.array([0.5, -3.0]))
      Array([-0.5,  3. ], dtype=float32)
    """
    return -_score(fake_score_B)


def wasserstein_critic_loss(real_score_B: jax.Array, fake_score_B: jax.Array) -> jax.Array:
    """Computes D(fake) - D(real), (B,): minus the critic's estimate of the Wasserstein-1 distance.

    Source: Arjovsky et al. 2017 (Wasserstein GAN), equation 2.

    Examples:
      >>> wasserstein_critic_loss(jnp.array([2.0, 0.0]), jnp.array([0.5, -3.0]))
      Array([-1.5, -3. ], dtype=float32)
    """
    real, fake = _pair(real_score_B, fake_score_B)
    return fake - real


def wasserstein_generator_loss(fake_score_B: jax.Array) -> jax.Array:
    """Computes -D(fake), (B,). Source: Arjovsky et al. 2017, algorithm 1, line 10.

    Examples:
      >>> wasserstein_generator_loss(jnp.array([0.5, -3.0]))
      Array([-0.5,  3. ], dtype=float32)
    """
    return -_score(fake_score_B)


def relativistic_critic_loss(real_score_B: jax.Array, fake_score_B: jax.Array) -> jax.Array:
    """Computes -log sigmoid(D(real) - D(fake)), (B,), of pairs of a real and a generated example.

    Source: Jolicoeur-Martineau 2018 (The relativistic discriminator), RSGAN; with R1 and R2 the
    loss of R3GAN (Huang et al. 2024).

    Examples:
      >>> relativistic_critic_loss(jnp.array([5.0]), jnp.array([5.0])) / jnp.log(2.0)
      Array([1.], dtype=float32)
    """
    real, fake = _pair(real_score_B, fake_score_B)
    return jax.nn.softplus(fake - real)


def relativistic_generator_loss(real_score_B: jax.Array, fake_score_B: jax.Array) -> jax.Array:
    """Computes -log sigmoid(D(fake) - D(real)), (B,). Source: as for the critic.

    Examples:
      >>> relativistic_generator_loss(jnp.array([5.0]), jnp.array([5.0])) / jnp.log(2.0)
      Array([1.], dtype=float32)
    """
    real, fake = _pair(real_score_B, fake_score_B)
    return jax.nn.softplus(real - fake)


def _pair(real_score_B: jax.Array, fake_score_B: jax.Array) -> tuple[jax.Array, jax.Array]:
    checks.floats(_axes(real_score_B), real_score_B=real_score_B, fake_score_B=fake_score_B)
    return at_least_float32(real_score_B), at_least_float32(fake_score_B)


def _score(fake_score_B: jax.Array) -> jax.Array:
    checks.floats(_axes(fake_score_B), fake_score_B=fake_score_B)
    return at_least_float32(fake_score_B)


def _axes(score: jax.Array) -> str:
    return "" if getattr(score, "shape", None) == () else "B"


def _smoothing(label_smoothing: float) -> None:
    checks.number("label_smoothing", label_smoothing, 0, below=1)


class AdversarialLoss(NamedTuple):
    """What the two players minimize.

    Attributes:
      critic: `critic(real_score_B, fake_score_B) -> loss_B`.
      generator: `generator(fake_score_B) -> loss_B`; with `paired` it takes
        `(real_score_B, fake_score_B)`.
      labeled: whether the critic's loss takes `label_smoothing`.
      paired: whether the generator's loss needs the scores of real examples.
    """

    critic: Callable[..., jax.Array]
    generator: Callable[..., jax.Array]
    labeled: bool = False
    paired: bool = False


ADVERSARIAL_LOSSES = {
    "minimax": AdversarialLoss(minimax_critic_loss, minimax_generator_loss, labeled=True),
    "non_saturating": AdversarialLoss(
        minimax_critic_loss, non_saturating_generator_loss, labeled=True
    ),
    "least_squares": AdversarialLoss(
        least_squares_critic_loss, least_squares_generator_loss, labeled=True
    ),
    "hinge": AdversarialLoss(hinge_critic_loss, hinge_generator_loss),
    "wasserstein": AdversarialLoss(wasserstein_critic_loss, wasserstein_generator_loss),
    "relativistic": AdversarialLoss(
        relativistic_critic_loss, relativistic_generator_loss, paired=True
    ),
}
