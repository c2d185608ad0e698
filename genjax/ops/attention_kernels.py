"""Fused attention: kernels of cuDNN and of Pallas, whose memory is linear in queries and keys.

They compute what `genjax.ops.attention` writes down plainly, but keep no weights: what needs them
(dropout of weights, maps of attention) is computed plainly, and so is what no kernel can. Source:
Dao et al. 2022 (FlashAttention).

Shapes: B batch, Q queries, K keys, D features, H heads, G groups of heads that share their keys.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp

from genjax.core import batch
from genjax.ops.masks import Mask
from genjax.ops.platform import lowering

# Scores of fewer queries or keys take no more memory than the queries and keys themselves; the
# kernel of TPUs works on blocks of so many.
_LEAST = 128
_BLOCKS = (512, 256, _LEAST)
# Of fewer keys the kernel of TPUs would need more memory than the scores: it spreads what it keeps
# of a query over 128 lanes (compiled for a v5e, 16 x 12 heads of 64: 312 against 192 MiB at 512).
_WORTH = 1024
# cuDNN is asked for its version by the program that runs; it is this one or newer.
_CUDNN = 91100
CUDNN_CALLS = ("__cudnn$fmhaSoftmax", "__cudnn$fmhaSoftmaxBackward")  # what its programs call


def chosen(query_BxHxQxD: Any, key_BxGxKxD: Any, mask: Any, choice: str = "auto") -> str:
    """Returns how attention without dropout is computed: `"cudnn"`, `"flash"` or `"plain"`.

    Args:
      choice: of `genjax.ops.platform.choices("attention")`; `"auto"`: what the platform wants
        where the arguments allow it.

    Raises:
      ValueError: a choice that the arguments do not allow.
    """
    name = lowering("attention", choice)
    if name == "plain":
        return name
    reason = _refusal(name, query_BxHxQxD, key_BxGxKxD, mask)
    if choice != "auto":
        if reason:
            raise ValueError(f"lowering={choice!r}: needs {reason}")
        return name
    few = name == "flash" and key_BxGxKxD.shape[2] < _WORTH
    return "plain" if reason or few else name


def _refusal(name: str, query: Any, key: Any, mask: Any) -> str:
    """Returns what a kernel needs that is not there, else ""."""
    (size_of_batch, _, queries, size), keys = query.shape, key.shape[2]
    if query.dtype not in (jnp.bfloat16, jnp.float16):
        return f"bfloat16 or float16, not {query.dtype}"
    if size % 8 or size > 128:
        return f"heads of a multiple of 8 features, 128 at most, not {size}"
    if min(queries, keys) < _LEAST:
        return f"at least {_LEAST} queries and keys, not {queries} and {keys}"
    if not (mask is None or isinstance(mask, Mask)):
        return "a mask of `genjax.ops.masks`, not an array"
    if mask is not None and mask.causal and queries != keys:
        return f"as many keys as queries where it is causal, not {keys} and {queries}"
    if size_of_batch % batch.rows_devices():
        return f"as many rows for each of {batch.rows_devices()} devices, not {size_of_batch}"
    if name == "cudnn":
        if queries % 2 or keys % 2:  # JAX refuses their gradient
            return f"even numbers of queries and keys, not {queries} and {keys}"
        return "" if mask is None or mask.key_BxK is None else "a mask without segments"
    if queries % _LEAST or keys % _LEAST:
        return f"multiples of {_LEAST} queries and keys, not {queries} and {keys}"
    if query.dtype == jnp.float16:
        return "bfloat16, not float16"
    return ""


def fused_attention(
    name: str, query_BxHxQxD: jax.Array, key_BxGxKxD: jax.Array, value_BxGxKxD: jax.Array, mask: Any
) -> jax.Array:
    """Computes attention (B, H, Q, D) by the kernel `name`, which `chosen` returned."""
    kernel = {"cudnn": _cudnn, "flash": _flash}[name]
    mask = Mask() if mask is None else mask
    answers = kernel(query_BxHxQxD, key_BxGxKxD, value_BxGxKxD, mask)
    if mask.seen_BxK is None and mask.key_BxK is None:
        return answers
    sees_BxQ = mask.dense().any(-1)  # one reduction, of which the compiler keeps nothing else
    return jnp.where(sees_BxQ[:, None, :, None], answers, 0)


def _cudnn(query: jax.Array, key: jax.Array, value: jax.Array, mask: Mask) -> jax.Array:
    """Calls cuDNN, which counts the keys that are seen."""
    lengths: tuple[jax.Array, ...] = ()
    if mask.seen_BxK is not None:
        # A row of which nothing is seen sees one key here, and is answered by 0 behind.
        keys_B = jnp.maximum(mask.seen_BxK.sum(-1, dtype=jnp.int32), 1)
        keys_B = jnp.broadcast_to(keys_B, query.shape[:1])
        like = jax.lax.stop_gradient(query)
        lengths = _as_mapped(jnp.full_like(keys_B, query.shape[2]), like), _as_mapped(keys_B, like)
    kernel = functools.partial(_cudnn_kernel, causal=mask.causal is not None)
    answers: jax.Array = batch.on_rows(kernel, (query, key, value), lengths)
    return answers


def _cudnn_kernel(
    query: jax.Array, key: jax.Array, value: jax.Array, *lengths: jax.Array, causal: bool
) -> jax.Array:
    """Calls the function inside `jax.nn.dot_product_attention`.

    That one asks a GPU for its cuDNN, so that nothing could be traced where there is none, and
    takes heads behind time, for which they would be moved there and back.
    """
    from jax._src.cudnn import fused_attention_stablehlo as inside

    nothing = jnp.zeros(0, query.dtype)
    queries_B, keys_B = lengths or (nothing, nothing)
    kinds = ("NO_MASK", "CAUSAL"), ("PADDING", "PADDING_CAUSAL")
    kind = inside.MaskType[kinds[bool(lengths)][causal]]
    answers: jax.Array = inside._dot_product_attention(
        query,
        key,
        value,
        nothing,  # bias
        queries_B,
        keys_B,
        *[nothing] * 4,  # offsets, pages
        1 / math.sqrt(query.shape[-1]),
        0,  # seed
        0.0,  # dropout
        (False, False),  # bias, its gradient
        kind,
        inside.AttentionLayout.BNTH.value,
        None,  # window
        _CUDNN,
        False,  # residual
    )
    return answers


@jax.custom_batching.custom_vmap
def _as_mapped(x: jax.Array, like: jax.Array) -> jax.Array:
    """Returns `x`, which `jax.vmap` maps where it maps `like`: JAX's rule for cuDNN wants both."""
    return x


@_as_mapped.def_vmap
def _(size: int, mapped: Any, x: jax.Array, like: jax.Array) -> tuple[jax.Array, bool]:
    both = jnp.broadcast_to(x, (size, *x.shape)) if mapped[1] and not mapped[0] else x
    return _as_mapped(both, like), any(mapped)


def _flash(query: jax.Array, key: jax.Array, value: jax.Array, mask: Mask) -> jax.Array:
    """Calls the Pallas kernel of TPUs, which knows segments; padding is one that no query has."""
    times = query.shape[1] // key.shape[1]
    key, value = (jnp.repeat(x, times, 1) if times > 1 else x for x in (key, value))
    segments: tuple[jax.Array, ...] = ()
    if mask.seen_BxK is not None or mask.key_BxK is not None:
        rows = query.shape[0]
        query_BxQ = jnp.ones((rows, query.shape[2]), jnp.int32)
        key_BxK = jnp.ones((rows, key.shape[2]), jnp.int32)
        if mask.query_BxQ is not None and mask.key_BxK is not None:
            query_BxQ = jnp.broadcast_to(mask.query_BxQ, query_BxQ.shape).astype(jnp.int32)
            key_BxK = jnp.where(mask.key_BxK == 0, -1, mask.key_BxK).astype(jnp.int32)
        if mask.seen_BxK is not None:
            key_BxK = jnp.where(mask.seen_BxK, key_BxK, -1)
        segments = query_BxQ, jnp.broadcast_to(key_BxK, (rows, key.shape[2]))
    kernel = functools.partial(_flash_kernel, causal=mask.causal is not None)
    answers: jax.Array = batch.on_rows(kernel, (query, key, value), segments)
    return answers


def _flash_kernel(
    query: jax.Array, key: jax.Array, value: jax.Array, *segments: jax.Array, causal: bool
) -> jax.Array:
    from jax.experimental.pallas.ops.tpu import flash_attention as pallas

    def block(length: int) -> int:
        return next(size for size in _BLOCKS if length % size == 0)

    q, k = block(query.shape[2]), block(key.shape[2])
    sizes = pallas.BlockSizes(
        block_b=1,
        block_q=q,
        block_k_major=k,
        block_k=k,
        block_q_major_dkv=q,
        block_k_major_dkv=k,
        block_k_dkv=k,
        block_q_dkv=q,
        block_k_major_dq=k,
        block_k_dq=k,
        block_q_dq=q,
    )
    answers: jax.Array = pallas.flash_attention(
        query,
        key,
        value,
        segment_ids=pallas.SegmentIds(*segments) if segments else None,
        causal=causal,
        sm_scale=1 / math.sqrt(query.shape[-1]),
        block_sizes=sizes,
    )
    return answers
