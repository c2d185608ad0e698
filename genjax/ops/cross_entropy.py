"""Logits over a large vocabulary and their cross-entropy, in little time and memory."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.platform import lowering
from genjax.ops.precision import matmul


def token_logits(
    hidden_BxTxD: jax.Array,
    kernel_DxV: jax.Array,
    bias_V: jax.Array | None = None,
    *,
    bias_lowering: str = "auto",
) -> jax.Array:
    """Computes `hidden @ kernel + bias`, summed in at least float32.

    With `bias_lowering="matmul"` the bias is added as a product, whose gradient is one as well:
    XLA's CPU backend would fuse the gradient of a sum into a scalar loop that makes the gradient of
    the logits once more, which costs a third of the whole loss.

    Args:
      hidden_BxTxD: (…, D); its dtype is that of the products.
      kernel_DxV: float32; of tied embeddings, the transposed table.
      bias_V: None: no bias.
      bias_lowering: `"matmul"`, `"stock"` or `"auto"`.
    """
    sizes = checks.floats("… D", hidden_BxTxD=hidden_BxTxD)
    checks.floats("D V", sizes, kernel_DxV=kernel_DxV)
    logits = matmul(hidden_BxTxD, kernel_DxV.astype(hidden_BxTxD.dtype))
    if bias_V is None:
        return logits
    checks.floats("V", sizes, bias_V=bias_V)
    if lowering("bias", bias_lowering) == "stock":
        return logits + bias_V
    ones = jax.lax.optimization_barrier(jnp.ones((*logits.shape[:-1], 1), bias_V.dtype))
    return logits + matmul(ones, bias_V[None])


def cross_entropy(
    logits: jax.Array, target: jax.Array, label_smoothing: float = 0.0, z_loss: float = 0.0
) -> jax.Array:
    """Computes the cross-entropy of `genjax.losses.token_cross_entropy`, that of padding included.

    Its gradient is made of the logits in one pass; of the value's parts it would be several.

    Args:
      logits: (…, V), float32 or wider.
      target: int32 (…); the value of one outside 0 … V - 1 is NaN.
      label_smoothing, z_loss: see there.
    """
    # Flat as `token_logits` makes them: of more axes, XLA's CPU backend copies the gradient.
    logits_NxV = logits.reshape(-1, logits.shape[-1])
    nll_N = _cross_entropy(logits_NxV, target.reshape(-1), label_smoothing, z_loss)
    return nll_N.reshape(target.shape)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _cross_entropy(
    logits_NxV: jax.Array, target_N: jax.Array, label_smoothing: float, z_loss: float
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
    logits_NxV, target_N = primals
    log_z = jax.nn.logsumexp(logits_NxV, -1)[:, None]
    gradient = jnp.exp(logits_NxV - log_z)
    if z_loss:
        gradient *= 1 + 2 * z_loss * log_z
    wanted = jnp.arange(logits_NxV.shape[-1]) == target_N[:, None]
    gradient -= jnp.where(wanted, 1 - label_smoothing, 0.0)
    if label_smoothing:
        gradient -= label_smoothing / logits_NxV.shape[-1]
    nll = _cross_entropy(logits_NxV, target_N, label_smoothing, z_loss)
    return nll, (gradient * tangents[0]).sum(-1)


def in_chunks(f: Callable[..., jax.Array], chunk: int, *arrays_BxT: jax.Array) -> jax.Array:
    """Computes `f(*arrays)`, (B, T), from pieces (B, chunk, …) of the arrays, one after the other.

    For the gradient each piece is computed again, so that what `f` holds is never there for more
    than one of them. Pieces are cut along T: rows that lie on different devices stay there. Where T
    is no multiple of `chunk`, the last piece ends in zeros.
    """
    batch, length = arrays_BxT[0].shape[:2]

    def pieces(x: jax.Array) -> jax.Array:
        x = jnp.pad(x, ((0, 0), (0, -length % chunk), *[(0, 0)] * (x.ndim - 2)))
        return jnp.moveaxis(x.reshape(batch, -1, chunk, *x.shape[2:]), 1, 0)

    piece_of_f = jax.checkpoint(f)
    parts = jax.lax.map(lambda part: piece_of_f(*part), tuple(map(pieces, arrays_BxT)))
    return jnp.moveaxis(parts, 0, 1).reshape(batch, -1)[:, :length]
