"""Cross-entropy of tokens: one value a token, in nats, 0 where there is only padding.

The values of padding are exactly 0, so that `nll.sum() / number of tokens` is the mean over tokens
however rows are padded, and padding has no gradient. No other index is ignored: a target outside
0 … V - 1, such as -100, raises `ValueError` where it is known, and is NaN elsewhere, as under jit.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.core.tokens import PAD
from genjax.ops.precision import at_least_float32, matmul


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
    sizes = checks.floats("… V", logits_BxTxV=logits_BxTxV)
    checks.integers("…", sizes, target_BxT=target_BxT)
    checks.indices("target_BxT", target_BxT, logits_BxTxV.shape[-1])
    _check_weights(label_smoothing, z_loss)
    # Flat as `token_logits` makes them: of more axes, XLA's CPU backend copies the gradient.
    logits_NxV = at_least_float32(logits_BxTxV).reshape(-1, logits_BxTxV.shape[-1])
    nll_N = _cross_entropy(label_smoothing, z_loss, logits_NxV, target_BxT.reshape(-1))
    return jnp.where(target_BxT == PAD, 0.0, nll_N.reshape(target_BxT.shape))


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _cross_entropy(
    label_smoothing: float, z_loss: float, logits_NxV: jax.Array, target_N: jax.Array
) -> jax.Array:
    log_z = jax.nn.logsumexp(logits_NxV, -1)
    # NaN beyond V - 1; negative indices, which would count from the end, are sent there.
    index_N = jnp.where(target_N < 0, logits_NxV.shape[-1], target_N)
    target = jnp.take_along_axis(logits_NxV, index_N[:, None], -1, mode="fill")[:, 0]
    nll = log_z - target
    if label_smoothing:
        nll += label_smoothing * (target - logits_NxV.mean(-1))
    if z_loss:
        nll += z_loss * jnp.square(log_z)
    return nll


@_cross_entropy.defjvp
def _cross_entropy_jvp(label_smoothing: float, z_loss: float, primals: Any, tangents: Any) -> Any:
    """The gradient is made of the logits in one pass; of the value's parts it would be several."""
    logits_NxV, target_N = primals
    log_z = jax.nn.logsumexp(logits_NxV, -1)[:, None]
    gradient = jnp.exp(logits_NxV - log_z)
    if z_loss:
        gradient *= 1 + 2 * z_loss * log_z
    wanted = jnp.arange(logits_NxV.shape[-1]) == target_N[:, None]
    gradient -= jnp.where(wanted, 1 - label_smoothing, 0.0)
    if label_smoothing:
        gradient -= label_smoothing / logits_NxV.shape[-1]
    nll = _cross_entropy(label_smoothing, z_loss, logits_NxV, target_N)
    return nll, (gradient * tangents[0]).sum(-1)


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
    sizes = checks.floats("B T D", hidden_BxTxD=hidden_BxTxD)
    checks.floats("D V", sizes, kernel_DxV=kernel_DxV)
    checks.integers("B T", sizes, target_BxT=target_BxT)
    checks.indices("target_BxT", target_BxT, kernel_DxV.shape[1])
    checks.whole("chunk", chunk, 1)
    _check_weights(label_smoothing, z_loss)
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
    sizes = checks.floats("… D", hidden_BxTxD=hidden_BxTxD)
    checks.floats("D V", sizes, kernel_DxV=kernel_DxV)
    if bias_V is not None:
        checks.floats("V", sizes, bias_V=bias_V)
    logits = matmul(hidden_BxTxD, kernel_DxV.astype(hidden_BxTxD.dtype))
    return logits if bias_V is None else logits + _rows(bias_V, logits.shape[:-1])


def _check_weights(label_smoothing: float, z_loss: float) -> None:
    checks.number("label_smoothing", label_smoothing, 0, below=1)
    checks.number("z_loss", z_loss, 0)


def _rows(bias_V: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """The bias of each row, or of all.

    On CPU as a product, whose gradient is one as well: XLA would fuse that of a sum into a scalar
    loop that makes the gradient of the logits once more, which costs a third of the whole loss.
    """
    if jax.default_backend() != "cpu":
        return bias_V
    ones = jax.lax.optimization_barrier(jnp.ones((*shape, 1), bias_V.dtype))
    return matmul(ones, bias_V[None])
