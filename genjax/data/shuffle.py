"""A keyed permutation of range(n), evaluated at any positions without ever being written down.

An alternating Feistel network on the mixed-radix domain `{0…a-1} x {0…b-1}`, with a * b >= n and as
close to n as a near-square product comes; values that fall outside range(n) are put through again
until they are inside ("cycle walking"), which keeps it a bijection of range(n). Source: Black and
Rogaway, "Ciphers with Arbitrary Finite Domains" (2002), methods 2 and 3. The round function is the
32-bit mixer "lowbias32" that C. Wellons' hash prospector found. It shuffles well; it hides nothing
and is no cipher.

NumPy and JAX give the same numbers: everything is uint32 arithmetic.
"""

from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

MAX_EXAMPLES = 2**31 - 1  # indices are int32
_ROUNDS = 6


def permuted(positions: Any, epoch: Any, key_data: Any, n: int, xp: ModuleType = jnp) -> Any:
    """Evaluates the permutation of range(n) that belongs to (key, epoch) at `positions`.

    Args:
      positions: uint32 array of any shape, each below n.
      epoch: uint32 scalar or array that broadcasts against `positions`; each has its own order.
      key_data: uint32 (W,), the words of a key as `jax.random.key_data` gives them (W = 2).
      n: size of the range, 1 … 2**31 - 1; a Python int.
      xp: `numpy` or `jax.numpy`; with the latter it can be traced (jit, scan, vmap over keys).

    Returns:
      int32 array of the broadcast shape.
    """
    if not 1 <= n <= MAX_EXAMPLES:
        raise ValueError(f"n={n}: must be between 1 and {MAX_EXAMPLES}")
    with np.errstate(over="ignore"):  # uint32 wraps, as it should
        return _permuted(positions, epoch, key_data, n, xp)


def held_out(label: np.ndarray, fraction: float) -> np.ndarray:
    """Marks the rows of a test split: of each class that share, rounded, at least one row."""
    test = np.zeros(len(label), bool)
    for c in np.unique(label):
        rows = np.flatnonzero(label == c)
        order = permuted(np.arange(len(rows)), c, np.zeros(2, np.uint32), len(rows), np)
        test[rows[order < max(1, round(fraction * len(rows)))]] = True
    return test


def _permuted(positions: Any, epoch: Any, key_data: Any, n: int, xp: ModuleType) -> Any:
    a, b = _factors(n)
    key_data, epoch = xp.asarray(key_data, xp.uint32), xp.asarray(epoch, xp.uint32)
    # 64 bits that depend on the whole key and the epoch; round r uses first + r * second.
    low, high = key_data[0], key_data[-1]
    first = _mix(_mix(_mix(low) + high) + epoch)
    second = _mix(_mix(_mix(high ^ np.uint32(0x9E3779B9)) + low) ^ first) | np.uint32(1)

    def feistel(x: Any) -> Any:
        left, right = x // np.uint32(b), x % np.uint32(b)
        for r in range(_ROUNDS):
            k = first + second * np.uint32(r)
            if r % 2:
                right = _add(right, _mix(left ^ k), b, xp)
            else:
                left = _add(left, _mix(right ^ k), a, xp)
        return left * np.uint32(b) + right

    x, _ = xp.broadcast_arrays(xp.asarray(positions, xp.uint32), epoch)
    if a * b == n:
        x = feistel(x)
    elif xp is np:
        x = feistel(x)
        while (outside := x >= n).any():
            x = np.where(outside, feistel(x), x)
    else:
        x = _walk(feistel, x, n)
    return x.astype(xp.int32)


def _walk(feistel: Any, x: jax.Array, n: int) -> jax.Array:
    """Applies `feistel` once, then again to whatever is still outside range(n)."""

    def body(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        x, outside = carry
        x = jnp.where(outside, feistel(x), x)
        return x, x >= np.uint32(n)

    return jax.lax.while_loop(lambda c: c[1].any(), body, (x, jnp.full_like(x, True, bool)))[0]


def _factors(n: int) -> tuple[int, int]:
    """Finds (a, b) of similar size, below 2**16 each, with the smallest product a * b >= n."""
    root = int(np.ceil(np.sqrt(n)))
    a = np.arange(root, root - root // 4 - 1, -1, dtype=np.int64)
    b = -(-n // a)
    best = int(np.argmin(a * b))  # the first minimum: the one nearest to a square
    return int(a[best]), int(b[best])


def _add(x: Any, h: Any, m: int, xp: ModuleType) -> Any:
    """Computes (x + h scaled to range(m)) mod m, for x < m < 2**16, without a division."""
    x = x + ((h >> np.uint32(16)) * np.uint32(m) >> np.uint32(16))
    return xp.where(x >= np.uint32(m), x - np.uint32(m), x)


def _mix(x: Any) -> Any:
    """Applies a bijection of uint32 in which each output bit depends on each input bit."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))
