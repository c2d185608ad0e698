"""Cross-entropy of tokens: one value a token, in nats, 0 where there is only padding.

The values of padding are exactly 0, so that `nll.sum() / number of tokens` is the mean over tokens
however rows are padded, and padding has no gradient.
"""

import jax
import jax.numpy as jnp

from genjax.core.tokens import PAD
from genjax.losses.precision import wide


def token_cross_entropy(
    logits_BxTxV: jax.Array, target_BxT: jax.Array, *,
    label_smoothing: float = 0.0, z_loss: float = 0.0,
) -> jax.Array:  # fmt: skip
    """`log Z - logit of the target`, `Z` the sum of the logits' exponentials; (B, T), float32.

    Source of label smoothing: Szegedy et al. 2016 (Rethinking the inception architecture), section
    7: the cross-entropy from `1 - label_smoothing` of the target and `label_smoothing` of the
    uniform distribution over all V. Of the z-loss: Chowdhery et al. 2022 (PaLM), section 5.

    Args:
      logits_BxTxV: (…, V); computed with in at least float32.
      target_BxT: int32 tokens (…).
      label_smoothing: in [0, 1).
      z_loss: weight of `(log Z)^2`, which keeps logits from drifting.
    """
    logits = wide(logits_BxTxV)
    log_z = jax.nn.logsumexp(logits, -1)
    target = jnp.take_along_axis(logits, target_BxT[..., None], -1)[..., 0]
    nll = log_z - target
    if label_smoothing:
        nll += label_smoothing * (target - logits.mean(-1))
    if z_loss:
        nll += z_loss * jnp.square(log_z)
    return jnp.where(target_BxT == PAD, 0.0, nll)


def chunked_cross_entropy(
    hidden_BxTxD: jax.Array, kernel_DxV: jax.Array, target_BxT: jax.Array, *,
    chunk: int, bias_V: jax.Array | None = None,
    label_smoothing: float = 0.0, z_loss: float = 0.0,
) -> jax.Array:  # fmt: skip
    """`token_cross_entropy(hidden @ kernel + bias, target)` without ever holding all its logits.

    At any time there are the logits of `chunk` places of each row, B x chunk x V numbers, forward
    and backward alike; backward they are computed again, which makes four matrix products of three.
    Chunks are cut along T, so that rows that lie on different devices stay there.

    Args:
      hidden_BxTxD: what the last layer says; its dtype is that of the products.
      kernel_DxV: float32, as is its gradient, whatever `hidden` is.
      target_BxT: int32 tokens.
      chunk: at least 1; T need not be a multiple of it.
      bias_V: of the logits.
      label_smoothing, z_loss: see `token_cross_entropy`.
    """
    batch, length, _ = hidden_BxTxD.shape

    @jax.checkpoint
    def nll(hidden_BxCxD: jax.Array, target_BxC: jax.Array) -> jax.Array:
        logits = token_logits(hidden_BxCxD, kernel_DxV, bias_V)
        return token_cross_entropy(
            logits, target_BxC, label_smoothing=label_smoothing, z_loss=z_loss
        )

    def chunks(x: jax.Array) -> jax.Array:
        x = jnp.pad(x, ((0, 0), (0, -length % chunk), *[(0, 0)] * (x.ndim - 2)))
        return jnp.moveaxis(x.reshape(batch, -1, chunk, *x.shape[2:]), 1, 0)

    parts = jax.lax.map(lambda part: nll(*part), (chunks(hidden_BxTxD), chunks(target_BxT)))
    return jnp.moveaxis(parts, 0, 1).reshape(batch, -1)[:, :length]


def token_logits(
    hidden_BxTxD: jax.Array, kernel_DxV: jax.Array, bias_V: jax.Array | None = None
) -> jax.Array:
    """Logits `hidden @ kernel + bias`: products of the dtype of `hidden`, sums in float32 at least.

    Args:
      hidden_BxTxD: (…, D).
      kernel_DxV: float32; a tied embedding's transpose.
      bias_V: if any.
    """
    logits = jnp.matmul(
        hidden_BxTxD, kernel_DxV.astype(hidden_BxTxD.dtype),
        preferred_element_type=jnp.promote_types(hidden_BxTxD.dtype, jnp.float32),
    )  # fmt: skip
    return logits if bias_V is None else logits + bias_V
