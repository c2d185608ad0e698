"""Checks what the methods of `genjax.trained.model.Model` are given, for programs.

All raise `ConfigError`, a `ValueError`, in one line that names the argument; their results are
NumPy arrays.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from genjax.core.config import MAX_SEED, ConfigError
from genjax.core.family import DataSpec
from genjax.core.files import shown

_AT_ONCE = 256  # rows of a program at most
_ELEMENTS = 2**22  # of all rows of a program
_SLACK = 1e-3  # beyond the range of pictures that rounding explains


def examples(name: str, x: Any, spec: DataSpec) -> np.ndarray:
    """Reads pictures or points (N, …), float32, as the model was trained on.

    `x`: floats in the range of the data, [0, 1] for pictures; or pictures of bytes, uint8, which
    are divided by 255.
    """
    found = _array(name, x, f"an array {_listed(spec.shape)}")
    if found.shape[1:] != spec.shape or found.ndim != len(spec.shape) + 1:
        hint = ""
        if found.shape == spec.shape:
            hint = f"; of a single example, {name}[None]"
        elif found.ndim > 1 and (*found.shape[1:], 1) == spec.shape:
            hint = f"; {name}[..., None] adds the channel"
        raise _error(name, f"must have shape {_listed(spec.shape)}, not {found.shape}{hint}")
    _some(name, found)
    image = spec.kind == "image"
    if image and found.dtype == np.uint8:
        return found.astype(np.float32) / np.float32(255)
    if not _is_float(found):
        allowed = "floats in [0, 1], or uint8 in 0 … 255" if image else "floats"
        raise _error(name, f"must hold {allowed}, not {found.dtype}")
    found = _finite(name, found)
    if image and (found.min() < -_SLACK or found.max() > 1 + _SLACK):
        least, most = float(found.min()), float(found.max())
        raise _error(name, f"must be in [0, 1], as the data are; is in [{least:.3g}, {most:.3g}]")
    return found


def codes(name: str, z: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Reads latents (N, *shape), float32."""
    z = _array(name, z, f"an array {_listed(shape)}")
    if z.shape[1:] != shape or z.ndim != len(shape) + 1:
        hint = f"; of a single one, {name}[None]" if z.shape == shape else ""
        raise _error(name, f"must have shape {_listed(shape)}, not {z.shape}{hint}")
    _some(name, z)
    if not _is_float(z):
        raise _error(name, f"must hold floats, not {z.dtype}")
    return _finite(name, z)


def tokens(name: str, ids: Any, number: int, shape: tuple[int, ...]) -> np.ndarray:
    """Reads rows of tokens (N, *shape), int32; the last axis may be shorter than the shape's.

    `number` is that of tokens in the vocabulary; `shape` is empty for single tokens.
    """
    wanted = _listed(shape)
    ids = _array(name, ids, f"a list of texts, or tokens {wanted}")
    fits = ids.ndim == len(shape) + 1 and ids.shape[1:-1] == shape[:-1]
    if not fits or (shape and not 1 <= ids.shape[-1] <= shape[-1] and ids.size):
        hint = f"; of a single one, {name}[None]" if ids.ndim == len(shape) else ""
        raise _error(name, f"tokens must have shape {wanted} at most, not {ids.shape}{hint}")
    _some(name, ids)
    return _numbers(name, ids, number, "tokens")


def labels(name: str, label: Any, classes: int, rows: int | None = None) -> np.ndarray:
    """Reads a class for each of `rows` examples, int32 (N,)."""
    label = _array(name, label, "a class for each example, (N,)")
    if label.ndim != 1 or (rows is not None and len(label) != rows):
        wanted = "N" if rows is None else str(rows)
        raise _error(name, f"must have shape ({wanted},), a class each, not {label.shape}")
    _some(name, label)
    return _numbers(name, label, classes, "classes")


def texts(name: str, given: Any) -> list[str]:
    """Reads a list of texts."""
    if isinstance(given, str):
        raise _error(name, f"must be a list of texts, not one: [{shown(given, 40)}]")
    if is_texts(given):
        found = list(given)
        for i, text in enumerate(found):
            if not isinstance(text, str):
                raise _error(name, f"must be a list of texts; {name}[{i}] is {type(text).__name__}")
        return found
    if isinstance(given, (list, tuple)) and not given:
        raise _error(name, "is empty; must be a list of texts")
    raise _error(name, f"must be a list of texts, not {_kind(given)}")


def is_texts(given: Any) -> bool:
    """Says whether it is meant as texts, which one is as well: `texts` refuses that."""
    if isinstance(given, str):
        return True
    if isinstance(given, np.ndarray):
        return given.dtype.kind in "UO" and given.ndim == 1 and given.size > 0
    return isinstance(given, (list, tuple)) and any(isinstance(x, str) for x in given)


def integer(name: str, value: Any, least: int = 1, most: float = math.inf) -> int:
    """Reads a whole number in the range."""
    limits = f"at least {least}" if most == math.inf else f"in {least} … {int(most)}"
    right = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.bool_))
    if not right or not least <= value <= most:
        raise ConfigError(f"{name}={shown(value, 40)}: must be a whole number {limits}")
    return int(value)


def key(name: str, seed: Any) -> jax.Array:
    """Makes the PRNG key of a seed; returns a key as it is."""
    if isinstance(seed, jax.Array) and jax.dtypes.issubdtype(seed.dtype, jax.dtypes.prng_key):
        return seed
    return jax.random.key(integer(name, seed, 0, MAX_SEED))


def block_size(spec: DataSpec, members: int) -> int:
    """Returns the rows of a program: a power of two, fewer for large examples or many members."""
    most = _AT_ONCE if spec.kind in ("image", "point") else _AT_ONCE // 4
    size = max(1, min(most, _ELEMENTS // (max(1, math.prod(spec.shape)) * max(1, members))))
    return 1 << (size.bit_length() - 1)


def draw_size(spec: DataSpec, members: int) -> int:
    """Returns the samples of a program: as many as a run judges, unless examples are large."""
    most = 16 * _AT_ONCE if spec.kind in ("image", "point") else _AT_ONCE
    return max(1, min(most, 2 * _ELEMENTS // (max(1, math.prod(spec.shape)) * max(1, members))))


def in_blocks(
    function: Callable[..., Any], rows: Sequence[np.ndarray], size: int, axis: int = 0
) -> Any:
    """Applies `function` to all rows, at most `size` of them at a time; returns NumPy arrays.

    A block that is not full is filled up with its first row to a power of four, so that few
    programs are compiled, whatever the number of rows.

    Args:
      function: of blocks of `rows`, to a pytree of arrays with the block along `axis`.
      rows: arrays that share their first axis.
      size: see above.
      axis: of the results.
    """
    parts = []
    for block in _blocks(rows, size):
        number = len(block[0])
        full = min(size, 4 ** math.ceil(math.log(number, 4)))
        filled = [np.concatenate([a, a[:1].repeat(full - number, 0)]) for a in block]
        result = jax.device_get(function(*filled))
        parts.append(jax.tree.map(lambda a, n=number: a.take(range(n), axis), result))
    return jax.tree.map(lambda *a: a[0] if len(a) == 1 else np.concatenate(a, axis), *parts)


def _blocks(rows: Sequence[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    for start in range(0, len(rows[0]), size):
        yield [a[start : start + size] for a in rows]


def _array(name: str, x: Any, wanted: str) -> np.ndarray:
    if is_texts(x):
        raise _error(name, f"must be {wanted}, not texts")
    try:
        found = np.asarray(x)
    except (ValueError, TypeError) as error:  # rows of different lengths
        raise _error(name, f"must be {wanted}; its rows make no array") from error
    if found.dtype.kind not in "biufV" or found.dtype.names:
        raise _error(name, f"must be {wanted}, not {_kind(x)}")
    if not found.size:
        raise _error(name, "is empty; must hold at least one example")
    return found


def _is_float(x: np.ndarray) -> bool:
    return jax.dtypes.issubdtype(x.dtype, np.floating)


def _some(name: str, x: np.ndarray) -> None:
    if not len(x):
        raise _error(name, "is empty; must hold at least one example")


def _finite(name: str, x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float32)
    bad = int((~np.isfinite(x)).reshape(len(x), -1).any(1).sum())
    if bad:
        raise _error(name, f"has NaN or infinite values, in {bad} of {len(x)} rows")
    return x


def _numbers(name: str, x: np.ndarray, number: int, what: str) -> np.ndarray:
    if x.dtype.kind not in "iu":
        raise _error(name, f"must hold {what} as whole numbers, not {x.dtype}")
    wrong = x[(x < 0) | (x >= number)]
    if wrong.size:
        raise _error(name, f"has {wrong[0]}; {what} are 0 … {number - 1}")
    return x.astype(np.int32)


def _error(name: str, what: str) -> ConfigError:
    return ConfigError(f"{name}: {what}")


def _listed(shape: Sequence[int]) -> str:
    """Spells the shape of N rows."""
    return f"(N, {', '.join(map(str, shape))})" if shape else "(N,)"


def _kind(x: Any) -> str:
    if hasattr(x, "dtype"):
        return f"{x.dtype} {tuple(x.shape)}"
    return (
        f"a list of {type(x[0]).__name__}"
        if isinstance(x, (list, tuple)) and x
        else (type(x).__name__)
    )
