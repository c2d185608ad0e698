"""Critics that see more than one example at once, against mode collapse."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core.batch import batch_mean

_MOMENTUM = 0.9  # of the running average, as in batch normalization
_EPSILON = 1e-8


class MinibatchStddev(nn.Module):
    """Appends one feature, the same for all examples: how much the batch varies.

    It is the standard deviation of each feature over the global batch, averaged over the features.
    Karras et al. 2018 (Progressive growing of GANs), section 3, repeat it over the image's
    locations; in front of a dense layer once is enough. Out of training it is the running average
    of training's, so that nothing mixes examples there.
    """

    @nn.compact
    def __call__(self, x_BxF: jax.Array, *, train: bool) -> jax.Array:
        """Maps (B, F) to (B, F + 1)."""
        running: Any = self.variable("batch_stats", "stddev", lambda: jnp.ones((), jnp.float32))
        stddev = running.value
        if train:
            wide = x_BxF.astype(jnp.float32)
            mean_F = batch_mean(wide.mean(0))
            variance_F = batch_mean(jnp.square(wide - mean_F).mean(0))
            stddev = jnp.sqrt(variance_F + _EPSILON).mean()
            if not self.is_initializing():
                running.value = _MOMENTUM * running.value + (1.0 - _MOMENTUM) * stddev
        column = jnp.broadcast_to(stddev.astype(x_BxF.dtype), (x_BxF.shape[0], 1))
        return jnp.concatenate([x_BxF, column], axis=1)


def pack(x: jax.Array, size: int) -> jax.Array:
    """Joins each `size` consecutive examples into one: (B, …, C) to (B / size, …, size * C).

    Source: Lin et al. 2018 (PacGAN: the power of two samples in generative adversarial networks).
    """
    if size == 1:
        return x
    packs = x.reshape(-1, size, *x.shape[1:])
    return jnp.moveaxis(packs, 1, -2).reshape(packs.shape[0], *x.shape[1:-1], -1)
