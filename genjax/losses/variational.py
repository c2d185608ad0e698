r"""Terms of variational bounds on log p(x), with a standard normal prior and Gaussian posteriors.

Everywhere p(z) = N(0, I) and q(z|x) = N(mean, diag(exp(log_variance))). All values are nats.
"""

import math

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.precision import at_least_float32

MAX_LOG_VARIANCE = 20.0  # of a posterior: beyond it, squares of draws leave float32


def reparameterize(mean: jax.Array, log_variance: jax.Array, noise: jax.Array) -> jax.Array:
    """Draws from q(z|x) by standard normal noise: `mean + exp(log_variance / 2) * noise`.

    Source: Kingma and Welling 2014 (Auto-encoding variational Bayes), section 2.4.

    Args:
      mean, log_variance: with the axes of `noise`, each of that length or 1.
      noise: (…, Z).

    Examples:
      >>> reparameterize(jnp.ones(1), jnp.log(jnp.full(1, 4.0)), jnp.full(1, 3.0))
      Array([7.], dtype=float32)
    """
    checks.spreads("mean", mean, "noise", noise)
    checks.spreads("log_variance", log_variance, "noise", noise)
    return mean + jnp.exp(0.5 * log_variance) * noise


def gaussian_kl(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """Computes KL(q(z|x) || p(z)) of each latent, of the shape of its arguments.

    The KL of an example is the sum over its latents.
    Source: Kingma and Welling 2014 (Auto-encoding variational Bayes), appendix B.

    Examples:
      >>> gaussian_kl(jnp.array([2.0]), jnp.array([0.0]))
      Array([2.], dtype=float32)
    """
    checks.floats("…", mean=mean, log_variance=log_variance)
    mean, log_variance = at_least_float32(mean), at_least_float32(log_variance)
    return 0.5 * (jnp.square(mean) + (jnp.expm1(log_variance) - log_variance))


def free_bits_kl(
    kl_BxZ: jax.Array, free_bits: float, mean_kl_Z: jax.Array | None = None
) -> jax.Array:
    """Computes the KL of each example, (B,), where every latent costs at least `free_bits`.

    Its mean over the batch is `sum_z max(free_bits, mean_B kl)`: a latent whose mean KL is below
    `free_bits` costs just that, and nothing pulls its posterior towards the prior.
    Source: Kingma et al. 2016 (Inverse autoregressive flow), equation 15, a group for each latent.

    Args:
      kl_BxZ: as `gaussian_kl` computes it.
      free_bits: nats a latent.
      mean_kl_Z: mean of the KL over the whole batch where `kl_BxZ` is a part of it.

    Examples:
      >>> free_bits_kl(jnp.array([[0.25, 2.0], [0.5, 1.0]]), 0.5)
      Array([2.5, 1.5], dtype=float32)
    """
    sizes = checks.floats("B Z", kl_BxZ=kl_BxZ)
    if mean_kl_Z is not None:
        checks.floats("Z", sizes, mean_kl_Z=mean_kl_Z)
    checks.number("free_bits", free_bits, 0)
    kl_BxZ = at_least_float32(kl_BxZ)
    mean_kl_Z = kl_BxZ.mean(0) if mean_kl_Z is None else mean_kl_Z
    return jnp.where(mean_kl_Z > free_bits, kl_BxZ, free_bits).sum(-1)


def log_prior_ratio(z: jax.Array, noise: jax.Array, log_variance: jax.Array) -> jax.Array:
    """Computes `log p(z) - log q(z|x)` of draws z, summed over the last axis.

    The noise that made `z` gives it exactly where the posterior is narrow.

    Args:
      z, noise: (…, Z), same shape.
      log_variance: with the axes of `z`, each of that length or 1.

    Examples:
      >>> log_prior_ratio(jnp.array([3.0]), jnp.array([1.0]), jnp.array([0.0]))
      Array(-4., dtype=float32)
    """
    checks.floats("… Z", z=z, noise=noise)
    checks.floats("… Z", {"Z": (z.shape[-1], "z")}, log_variance=log_variance)
    checks.spreads("log_variance", log_variance, "z", z)
    z, noise, log_variance = map(at_least_float32, (z, noise, log_variance))
    return 0.5 * (jnp.square(noise) + log_variance - jnp.square(z)).sum(-1)


def importance_weighted_bound(log_weight_BxK: jax.Array) -> jax.Array:
    """Computes `log(mean_k w_k)`, (B,), a bound on log p(x) that rises with the number of draws.

    The weights are `w = p(x|z) p(z) / q(z|x)` of K independent draws from q(z|x). With K = 1 it
    is a draw of the evidence lower bound.
    Source: Burda et al. 2016 (Importance weighted autoencoders), equation 8.

    Examples:
      >>> importance_weighted_bound(jnp.log(jnp.array([[1.0, 3.0]]))) / jnp.log(2.0)
      Array([1.], dtype=float32)
    """
    checks.floats("B K", log_weight_BxK=log_weight_BxK)
    log_weight_BxK = at_least_float32(log_weight_BxK)
    log_sum_B = jax.nn.logsumexp(log_weight_BxK, axis=-1)
    return log_sum_B - math.log(log_weight_BxK.shape[-1])
