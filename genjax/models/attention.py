"""Self-attention between the pixels of a picture."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.models.conv import Conv
from genjax.ops.conv import to_batch_first, to_batch_last
from genjax.ops.precision import at_least_float32

_NARROWER = 8  # C over the width of queries, keys and values


class PixelAttention(nn.Module):
    """SAGAN's layer: `y = gamma o + x`, gamma a learned number that begins at 0.

    The answers o come of queries, keys and values of an eighth of the channels.
    Source: Zhang et al. 2019 (Self-attention generative adversarial networks), equations 1 to 3.

    Attributes:
      options: of every `Conv`: lowering, layout and dtype.
    """

    options: Any

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps (B, H, W, C), or batch last, to the same shape."""
        last = self.options["batch_last"]
        channels = x.shape[0 if last else -1]
        width = max(channels // _NARROWER, 1)
        h = Conv(3 * width, (1, 1), use_bias=False, **self.options)(x)
        h = to_batch_first(h) if last else h
        rows = at_least_float32(h.reshape(h.shape[0], -1, 3 * width))
        query, key, value = jnp.split(rows, 3, -1)
        weights_BxQxK = jax.nn.softmax(jnp.einsum("bqd,bkd->bqk", query, key), -1)
        mixed = jnp.einsum("bqk,bkd->bqd", weights_BxQxK, value).reshape(*h.shape[:3], width)
        mixed = mixed.astype(h.dtype)
        mixed = to_batch_last(mixed) if last else mixed
        gamma = self.param("gamma", nn.initializers.zeros_init(), (), jnp.float32)
        answer = Conv(channels, (1, 1), use_bias=False, **self.options)(mixed)
        return x + gamma.astype(x.dtype) * answer
