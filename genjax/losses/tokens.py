"""Cross-entropy of tokens: one value a token, in nats, 0 where there is only padding.

The values of padding are exactly 0, so that `nll.sum() / number of tokens` is the mean over tokens
however rows are padded, and padding has no gradient. No other index is ignored: a target outside
0 … V - 1, such as -100, raises `ValueError` where it is known, and gives NaN elsewhere, as under
jit.
"""

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.core.tokens import PAD
from genjax.ops.cross_entropy import cross_entropy, in_chunks, token_logits
from genjax.ops.precision import at_least_float32


def token_cross_entropy(
    logits_BxTxV: jax.Array,
    target_BxT: jax.Array,
    *,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
) -> jax.Array:
    """Computes `log Z - logit of the target`, `Z` the sum of exponentials; (B, T), float32.

    Label smoothing takes the cross-entropy from `1 - label_smoothing` of the target and
    `label_smoothing` of the uniform distribution over all V (Szegedy et al. 2016, Rethinking the
    inception architecture, section 7). The z-loss keeps logits from drifting (Chowdhery et al.
    2022, PaLM, section 5).

    Args:
      logits_BxTxV: (…, V); computed with in at least float32.
      target_BxT: int32 tokens (…).
      label_smoothing: in [0, 1).
      z_loss: weight of `(log Z)^2`.

    Examples:
      >>> token_cross_entropy(jnp.zeros((1, 2, 4)), jnp.array([[3, PAD]])) / jnp.log(4.0)
      Array([[1., 0.]], dtype=float32)
    """
    sizes = checks.floats("… V", logits_BxTxV=logits_BxTxV)
    checks.integers("…", sizes, target_BxT=target_BxT)
    checks.indices("target_BxT", target_BxT, logits_BxTxV.shape[-1])
    _check_weights(label_smoothing, z_loss)
    nll_BxT = cross_entropy(at_least_float32(logits_BxTxV), target_BxT, label_smoothing, z_loss)
    return jnp.where(target_BxT == PAD, 0.0, nll_BxT)


def chunked_cross_entropy(
    hidden_BxTxD: jax.Array,
    kernel_DxV: jax.Array,
    target_BxT: jax.Array,
    *,
    chunk: int,
    bias_V: jax.Array | None = None,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
) -> jax.Array:
    """Computes `token_cross_entropy(hidden @ kernel + bias, target)`, never holding all its logits.

    At any time there are the logits of `chunk` places of each row, B x chunk x V numbers, forward
    and backward alike; backward they are computed again, which makes four matrix products of three.

    Args:
      hidden_BxTxD: output of the last layer; its dtype is that of the products.
      kernel_DxV: float32, as is its gradient, whatever `hidden` is.
      target_BxT: int32 tokens.
      chunk: at least 1; T need not be a multiple of it.
      bias_V: of the logits.
      label_smoothing, z_loss: see `token_cross_entropy`.

    Examples:
      >>> hidden, kernel, target = jnp.ones((1, 3, 2)), jnp.ones((2, 4)), jnp.array([[1, 2, PAD]])
      >>> chunked_cross_entropy(hidden, kernel, target, chunk=2) / jnp.log(4.0)
      Array([[1., 1., 0.]], dtype=float32)
    """
    sizes = checks.floats("B T D", hidden_BxTxD=hidden_BxTxD)
    checks.floats("D V", sizes, kernel_DxV=kernel_DxV)
    checks.integers("B T", sizes, target_BxT=target_BxT)
    checks.indices("target_BxT", target_BxT, kernel_DxV.shape[1])
    checks.whole("chunk", chunk, 1)
    _check_weights(label_smoothing, z_loss)

    def nll(hidden_BxCxD: jax.Array, target_BxC: jax.Array) -> jax.Array:
        logits = token_logits(hidden_BxCxD, kernel_DxV, bias_V)
        return token_cross_entropy(
            logits, target_BxC, label_smoothing=label_smoothing, z_loss=z_loss
        )

    return in_chunks(nll, chunk, hidden_BxTxD, target_BxT)


def _check_weights(label_smoothing: float, z_loss: float) -> None:
    checks.number("label_smoothing", label_smoothing, 0, below=1)
    checks.number("z_loss", z_loss, 0)
