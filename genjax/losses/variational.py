r"""Terms of variational bounds on log p(x), with a standard normal prior and Gaussian posteriors.

Everywhere p(z) = N(0, I) and q(z|x) = N(mean, diag(exp(log_variance))); a draw from q(z|x) is
`z = mean + exp(log_variance / 2) * noise` with standard normal noise. All values are nats.
"""

import math

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.precision import at_least_float32


def gaussian_kl(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """KL(q(z|x) || p(z)) of each latent, of the shape of its arguments.

    The KL of an example is the sum over its latents.
    Source: Kingma and Welling 2014 (Auto-encoding variational Bayes), appendix B.
    """
    checks.floats("…", mean=mean, log_variance=log_variance)
    mean, log_variance = at_least_float32(mean), at_least_float32(log_variance)
    return 0.5 * (jnp.square(mean) + (jnp.expm1(log_variance) - log_variance))


def free_bits_kl(
    kl_BxZ: jax.Array, free_bits: float, mean_kl_Z: jax.Array | None = None
) -> jax.Array:
    """KL of each example, shape (B,), of which every latent costs at least `free_bits`.

    Its mean over the batch is `sum_z max(free_bits, mean_B kl)`: a latent whose mean KL is below
    `free_bits` costs just that, and nothing pulls its posterior towards the prior.
    Source: Kingma et al. 2016 (Inverse autoregressive flow), equation 15, a group for each latent.

    Args:
      kl_BxZ: as `gaussian_kl` gives it.
      free_bits: nats a latent.
      mean_kl_Z: mean of the KL over the whole batch where `kl_BxZ` is a part of it.
    """
    sizes = checks.floats("B Z", kl_BxZ=kl_BxZ)
    if mean_kl_Z is not None:
        checks.floats("Z", sizes, mean_kl_Z=mean_kl_Z)
    checks.number("free_bits", free_bits, 0)
    mean_kl_Z = kl_BxZ.mean(0) if mean_kl_Z is None else mean_kl_Z
    return jnp.where(mean_kl_Z > free_bits, kl_BxZ, free_bits).sum(-1)


def log_prior_ratio(z: jax.Array, noise: jax.Array, log_variance: jax.Array) -> jax.Array:
    """`log p(z) - log q(z|x)` of draws z, summed over the last axis.

    Taken from the noise that made `z`, it is exact where the posterior is narrow.

    Args:
      z, noise: (…, Z), same shape.
      log_variance: with the axes of `z`, each of that length or 1.
    """
    checks.floats("… Z", z=z, noise=noise)
    checks.floats("… Z", {"Z": (z.shape[-1], "z")}, log_variance=log_variance)
    checks.spreads("log_variance", log_variance, "z", z)
    z, noise, log_variance = (
        at_least_float32(z),
        at_least_float32(noise),
        at_least_float32(log_variance),
    )
    return 0.5 * (jnp.square(noise) + log_variance - jnp.square(z)).sum(-1)


def importance_weighted_bound(log_weight_BxK: jax.Array) -> jax.Array:
    """`log(mean_k w_k)`, shape (B,): a bound on log p(x) that rises with the number of draws.

    The weights are `w = p(x|z) p(z) / q(z|x)` of K independent draws from q(z|x). With K = 1 it
    is a draw of the evidence lower bound.
    Source: Burda et al. 2016 (Importance weighted autoencoders), equation 8.
    """
    checks.floats("B K", log_weight_BxK=log_weight_BxK)
    log_weight_BxK = at_least_float32(log_weight_BxK)
    log_sum_B = jax.nn.logsumexp(log_weight_BxK, axis=-1)
    return log_sum_B - math.log(log_weight_BxK.shape[-1])
