"""Masks: which queries may see which keys, said by what makes it so.

A dense mask is boolean, True where a query may see a key; it has axes (B, Q, K), of which any may
be 1. A `Mask` says the same in memory that is linear in Q and K, which fused attention can take;
masks of either kind combine by `&`.

Shapes: B batch, Q queries, K keys.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from genjax.core.tokens import PAD


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("seen_BxK", "query_BxQ", "key_BxK"),
    meta_fields=("causal",),
)
@dataclass(frozen=True, eq=False)
class Mask:
    """Lets a query see a key where all that is not None agrees; there is one at least.

    Attributes:
      causal: numbers of queries and keys, of which the queries are the last; a query sees the keys
        up to its own place.
      seen_BxK: boolean, keys that may be seen. Fused attention counts them: those that may not be
        seen stand behind the others.
      query_BxQ, key_BxK: segments, of which each sees itself; a key of segment 0 is not seen.
    """

    causal: tuple[int, int] | None = None
    seen_BxK: jax.Array | None = None
    query_BxQ: jax.Array | None = None
    key_BxK: jax.Array | None = None

    __array_ufunc__ = None  # so that NumPy leaves `array & mask` to the mask

    def __and__(self, other: Any) -> Any:
        """Lets a query see what both masks let it see."""
        if not isinstance(other, Mask):
            return self.dense() & other
        twice = self.key_BxK is not None and other.key_BxK is not None
        if twice or (None not in (self.causal, other.causal) and self.causal != other.causal):
            return self.dense() & other.dense()
        seen_BxK = self.seen_BxK if other.seen_BxK is None else other.seen_BxK
        if self.seen_BxK is not None and other.seen_BxK is not None:
            seen_BxK = self.seen_BxK & other.seen_BxK
        segments = self if other.key_BxK is None else other
        return replace(segments, causal=self.causal or other.causal, seen_BxK=seen_BxK)

    __rand__ = __and__

    def dense(self, first: Any = 0, size: int | None = None) -> jax.Array:
        """Returns the mask (B, Q, K), of which B and Q are 1 where it does not depend on them.

        Args:
          first, size: the queries `first` … `first + size - 1`; None: all.
        """
        parts: list[jax.Array] = []
        if self.causal is not None:
            queries, keys = self.causal
            place = jnp.arange(size or queries)[:, None] + (keys - queries + first)
            parts.append((jnp.arange(keys) <= place)[None])
        if self.query_BxQ is not None and self.key_BxK is not None:
            query = self.query_BxQ
            if size is not None:
                query = jax.lax.dynamic_slice_in_dim(query, first, size, 1)
            same = query[:, :, None] == self.key_BxK[:, None]
            parts.append(same & (self.key_BxK != 0)[:, None])
        if self.seen_BxK is not None:
            parts.append(self.seen_BxK[:, None])
        whole = parts[0]
        for part in parts[1:]:
            whole = whole & part
        return whole


def dense(mask: Any, first: Any = 0, size: int | None = None) -> Any:
    """Returns the array that a mask of either kind is, as `Mask.dense`; None: None."""
    if isinstance(mask, Mask):
        return mask.dense(first, size)
    if mask is None or size is None or mask.shape[1] == 1:
        return mask
    return jax.lax.dynamic_slice_in_dim(mask, first, size, 1)


def causal_mask(queries: int, keys: int | None = None) -> Mask:
    """Makes the mask (1, Q, K) by which a query sees the keys up to its own place.

    Args:
      queries: number of queries.
      keys: number of keys, of which the queries are the last; None: the same.
    """
    return Mask(causal=(queries, queries if keys is None else keys))


def padding_mask(tokens_BxK: jax.Array) -> Mask:
    """Makes the mask (B, 1, K) by which tokens are seen and padding, behind them, is not."""
    return Mask(seen_BxK=tokens_BxK != PAD)


def segment_mask(query_BxQ: jax.Array, key_BxK: jax.Array | None = None) -> Mask:
    """Makes the mask (B, Q, K) by which places of one segment see each other, but not padding.

    Segment 0 is padding.

    Args:
      query_BxQ: the number of each place's segment, from 1 on.
      key_BxK: likewise of the keys; None: the same.
    """
    return Mask(query_BxQ=query_BxQ, key_BxK=query_BxQ if key_BxK is None else key_BxK)
