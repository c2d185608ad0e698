"""What variational families share: the sums of evaluation.

Everywhere q(z|x) = N(mean, diag(exp(log_variance))) and p(z) = N(0, I).
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from genjax import losses

_ACTIVE = 0.01  # a latent is active where its posterior mean varies more over the data (Burda 2016)


def bound_terms(
    bounds: losses.Bounds, mean_BxZ: jax.Array, log_variance_BxZ: jax.Array, num_samples: int
) -> dict[str, jax.Array]:
    """Computes what evaluation sums over examples, (B,) or (B, Z) each, in nats.

    Args:
      bounds: of `num_samples` draws.
      mean_BxZ, log_variance_BxZ: of the posterior.
      num_samples: K, which names the importance weighted bound `iwae_K`.
    """
    kl_BxZ = losses.gaussian_kl(mean_BxZ, log_variance_BxZ)
    return {
        "reconstruction": -bounds.log_likelihood_B,
        "kl": kl_BxZ.sum(-1),
        "elbo": bounds.log_likelihood_B - kl_BxZ.sum(-1),
        f"iwae_{num_samples}": bounds.importance_B,
        "kl_per_latent": kl_BxZ,
        "mean_per_latent": mean_BxZ,
        "squared_mean_per_latent": jnp.square(mean_BxZ),
    }


def count_active(means: Mapping[str, Any]) -> dict[str, Any]:
    """Turns the moments of the posterior means into the number of active units."""
    means = dict(means)
    variance = means.pop("squared_mean_per_latent") - means.pop("mean_per_latent") ** 2
    return means | {"active_units": (variance > _ACTIVE).sum(-1)}
