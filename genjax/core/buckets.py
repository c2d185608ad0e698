"""Length buckets: one compiled program that wastes little on padding."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from genjax.core import tokens
from genjax.core.batch import batch_max


def edges_of(config: ConfigDict) -> tuple[int, ...]:
    """Returns `buckets` of a config; none for a population, which would compute all branches."""
    return () if config.executor == "vmap" else tuple(config.buckets)


def by_length(f: Callable[..., Any], *rows: jax.Array, edges: Sequence[int]) -> Any:
    """`f(*rows)`, computed on no more places than the longest row of the global batch needs.

    All rows are cut to the smallest of `edges` that holds every token, or stay whole if none does.
    One program holds a branch for each edge and takes one of them, on all devices the same, so `f`
    may reduce over them. Batches of similar lengths (`data.bucketed`) make it worthwhile. On a GPU
    a branch is taken without the host where XLA makes a CUDA graph of it: not of one with loops,
    unless it is told to (docs/devices.md).

    In a population (`vmap`) each member has lengths of its own and every branch is computed: give
    no edges there.

    Args:
      f: of arrays (B, T') with static T', to a pytree whose shapes and dtypes do not depend on T'.
        What it makes of padding must be nothing. Noise that it draws of a shape with T' is another
        for another edge.
      *rows: tokens (B, T), int32, padded at their end; T may differ between them.
      edges: lengths in ascending order; none: `f(*rows)` as it is.

    Raises:
      ValueError: edges are not in ascending order, or not above 0.
    """
    if list(edges) != sorted({*edges}) or min(edges, default=1) < 1:
        raise ValueError(f"edges={tuple(edges)}: must be in ascending order and above 0")
    widest = max(x.shape[1] for x in rows)
    cuts = [edge for edge in edges if edge < widest]
    if not cuts:
        return f(*rows)
    longest = batch_max(jnp.stack([tokens.lengths(x).max() for x in rows]).max())
    branch = (longest > jnp.array(cuts)).sum()
    cut = [lambda *a, n=n: f(*(x[:, :n] for x in a)) for n in cuts]
    return jax.lax.switch(branch, [*cut, f], *rows)
