"""Rows of tables, and places of tokens as sinusoids and rotations."""

import math

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.platform import lowering

_SMALL_VOCABULARY = 512
_SLOWEST = 10_000.0  # radians in a turn of the slowest sinusoid, over 2 pi


def lookup(table_VxD: jax.Array, ids: jax.Array) -> jax.Array:
    """Looks up rows of a table: ids (…) to (…, D).

    On CPU a small table is multiplied by one-hot rows, as its gradient is then a product as well
    and no scatter-add, which is slow where few rows are hit often. The values are the same.
    """
    checks.floats("V D", table_VxD=table_VxD)
    if ids.size:  # a text of one token has no pairs of neighbors
        checks.integers("…", ids=ids)
    checks.indices("ids", ids, table_VxD.shape[0])
    size = table_VxD.shape[0]
    if size > _SMALL_VOCABULARY or lowering("rows of tables") == "stock":
        return jnp.take(table_VxD, ids, axis=0)
    one_hot = jax.nn.one_hot(ids.reshape(-1), size, dtype=table_VxD.dtype)
    rows = jnp.matmul(one_hot, table_VxD, precision=jax.lax.Precision.HIGHEST)
    return rows.reshape(*ids.shape, -1)


def sinusoidal_positions(positions: jax.Array, width: int) -> jax.Array:
    """Computes sines and cosines of positions (…) at `width / 2` frequencies; (…, width), float32.

    Elements 2i and 2i + 1 are `sin` and `cos` of `position / 10000^(2i / width)`.
    Source: Vaswani et al. 2017 (Attention is all you need), section 3.5.

    Args:
      positions: int32.
      width: even.
    """
    angles = _angles(positions, width)
    return jnp.stack([jnp.sin(angles), jnp.cos(angles)], -1).reshape(*positions.shape, width)


def rotations(positions_BxT: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """Computes cosines and sines (B, T, size / 2), float32, by which `rotate` turns features."""
    angles = _angles(positions_BxT, size)
    return jnp.cos(angles), jnp.sin(angles)


def rotate(x_BxHxTxD: jax.Array, rope: tuple[jax.Array, jax.Array]) -> jax.Array:
    """Turns features by angles that grow with their place, so that dot products tell distances.

    Element i of the first half and element i of the second half are the two coordinates that turn.
    Source: Su et al. 2021 (RoFormer), equation 34, with that pairing of coordinates.

    Args:
      x_BxHxTxD: queries or keys; D is even.
      rope: from `rotations`, of the same (B, T), of which B may be 1.
    """
    cos, sin = (a[:, None].astype(x_BxHxTxD.dtype) for a in rope)
    x, y = jnp.split(x_BxHxTxD, 2, -1)
    return jnp.concatenate([x * cos - y * sin, x * sin + y * cos], -1)


def _angles(positions: jax.Array, width: int) -> jax.Array:
    frequencies = jnp.exp(jnp.arange(width // 2) * (-2 * math.log(_SLOWEST) / width))
    return positions[..., None].astype(jnp.float32) * frequencies
