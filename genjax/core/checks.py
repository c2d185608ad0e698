"""Checks of arguments: what would broadcast, wrap around or be cut to a range is refused.

Shapes and dtypes are known when a function is traced: their checks leave nothing in the compiled
program. Values are known only outside of `jit`, `grad` and `vmap`: there they are checked, which
waits for the array; inside, they are not looked at, and the functions say what becomes of them.
All raise `ValueError`, in one line that names the argument, what it is and what it must be.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Sizes = dict[str, Any]  # the size of each named axis, with the argument that has it

_KINDS = {
    "floats": (jnp.floating,),
    "integers": (jnp.integer,),
    "booleans": (jnp.bool_,),
    "PRNG keys": (jax.dtypes.prng_key,),
    "floats, integers or booleans": (jnp.floating, jnp.integer, jnp.bool_),
}


def floats(axes: str, sizes: Sizes | None = None, /, **arrays: Any) -> Sizes:
    """Raises unless every array holds floats and has these axes, none of them empty.

        sizes = floats("B T K", scores=scores)
        integers("B", sizes, lengths=lengths)

    Args:
      axes: names of axes, or sizes, with spaces between; an axis has one size in all arrays that
        share `sizes`. `…` stands for any number of axes, the same wherever it is.
      sizes: as returned for other arguments.
      **arrays: by the name of the argument.
    """
    return _check("floats", axes, sizes, arrays)


def integers(axes: str, sizes: Sizes | None = None, /, **arrays: Any) -> Sizes:
    """As `floats`, of integers."""
    return _check("integers", axes, sizes, arrays)


def masks(axes: str, sizes: Sizes | None = None, /, **arrays: Any) -> Sizes:
    """As `floats`, of numbers of any kind or booleans: 1 or True where something counts."""
    return _check("floats, integers or booleans", axes, sizes, arrays)


def booleans(axes: str, sizes: Sizes | None = None, /, **arrays: Any) -> Sizes:
    """As `floats`, of booleans."""
    return _check("booleans", axes, sizes, arrays)


def keys(axes: str, sizes: Sizes | None = None, /, **arrays: Any) -> Sizes:
    """As `floats`, of typed PRNG keys; see `key` for what is none."""
    return _check("PRNG keys", axes, sizes, arrays)


def spreads(name: str, x: Any, like_name: str, like: Any, kind: Any = floats) -> None:
    """Raises unless `x` is a number, or has the axes of `like`, each as long or of length 1."""
    if isinstance(x, (int, float)):
        return
    kind("…", **{name: x})
    fits = len(x.shape) == len(like.shape) and all(n in (1, m) for n, m in zip(x.shape, like.shape))
    if x.shape and not fits:
        raise ValueError(
            f"{name}: must be a number, or have the axes of {like_name}, {_told(like.shape)}, each "
            f"of that length or 1; has shape {_told(x.shape)}"
        )


def like(name: str, x: Any, other_name: str, other: Any) -> None:
    """Raises unless `x` has the shape of another array."""
    if jnp.shape(x) != jnp.shape(other):
        raise ValueError(
            f"{name}: must have the shape of {other_name}, {jnp.shape(other)}, not {jnp.shape(x)}"
        )


def within(
    name: str,
    x: Any,
    least: float = -math.inf,
    most: float = math.inf,
    *,
    above: float = -math.inf,
    below: float = math.inf,
    hint: str = "",
) -> None:
    """Raises if a number or an array, known now, has a value outside the range, or NaN."""
    if not is_known(x):
        return
    values = np.asarray(x)
    if values.dtype == jnp.bfloat16:
        values = values.astype(np.float32)
    right = (values >= least) & (values <= most) & (values > above) & (values < below)
    if not right.all():
        value = values[~right].flat[0]
        shown = f"{name}={value}:" if not values.ndim else f"{name}: has {value};"
        limits = [
            f"{words} {limit:.10g}"
            for words, limit in (
                ("at least", least),
                ("above", above),
                ("at most", most),
                ("below", below),
            )
            if math.isfinite(limit)
        ]
        raise ValueError(f"{shown} must be {' and '.join(limits) or 'finite'}{hint}")


def number(name: str, value: Any, *limits: float, **more: Any) -> None:
    """As `within`, of a single number."""
    if getattr(value, "shape", ()) != () or isinstance(value, (list, tuple)):
        raise ValueError(f"{name}: must be a single number, not {_kind(value)}")
    within(name, value, *limits, **more)


def whole(name: str, value: Any, least: int = 0, most: float = math.inf) -> None:
    """Raises unless `value` is a whole number in the range (an array that is not known passes)."""
    if not _is_whole(value):
        shown = f": is {_kind(value)};" if hasattr(value, "dtype") else f"={value!r}:"
        raise ValueError(f"{name}{shown} must be a whole number of at least {least}")
    within(name, value, least, most)


def _is_whole(value: Any) -> bool:
    if hasattr(value, "dtype"):
        return value.shape == () and jnp.issubdtype(value.dtype, jnp.integer)
    return isinstance(value, int) and not isinstance(value, bool)


def indices(name: str, x: Any, number: int, where: Any = True) -> None:
    """Raises if an array of integers, known now, has a value outside 0 … number - 1.

    Args:
      name: of the argument.
      x: the array.
      number: of classes, tokens or tags.
      where: where it must be in range, if known; a boolean array like `x`.
    """
    if not (is_known(x) and is_known(where)):
        return
    values = np.asarray(x)
    wrong = values[((values < 0) | (values >= number)) & np.asarray(where)]
    if wrong.size:
        hint = ""
        if wrong[0] < 0:
            hint = "; no index is ignored here: pad with 0 (PAD), or multiply the loss by a mask"
        raise ValueError(f"{name}: has {wrong[0]}; must be in 0 … {number - 1}{hint}")


def key(name: str, value: Any, ndims: tuple[int, ...] = (0,)) -> None:
    """Raises unless `value` is a typed PRNG key, or an array of them of so many axes."""
    make = "jax.random.key(seed)"
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        raise ValueError(f"{name}={value}: must be a PRNG key, {make}, not a whole number")
    dtype = getattr(value, "dtype", None)
    if dtype == jnp.uint32:
        raise ValueError(
            f"{name}: is an untyped key, uint32 {_told(value.shape)}; must be made by {make}, not "
            "jax.random.PRNGKey, or wrapped by jax.random.wrap_key_data"
        )
    if dtype is None or not jnp.issubdtype(dtype, jax.dtypes.prng_key):
        raise ValueError(f"{name}: must be a PRNG key, {make}, not {_kind(value)}")
    if len(value.shape) not in ndims:
        allowed = " or ".join("one key" if not n else "one for each row, (B,)" for n in ndims)
        raise ValueError(f"{name}: must be {allowed}, not keys of shape {_told(value.shape)}")


def chosen(name: str, value: Any, allowed: Any) -> None:
    """Raises unless `value` is one of `allowed`."""
    if value not in allowed:
        raise ValueError(f"{name}={value!r}: must be one of {', '.join(allowed)}")


def is_known(x: Any) -> bool:
    """Whether the values of `x` are there: it is no tracer, and all of it lies on this host."""
    return not isinstance(x, jax.core.Tracer) and getattr(x, "is_fully_addressable", True)


def _check(kind: str, axes: str, sizes: Sizes | None, arrays: dict[str, Any]) -> Sizes:
    sizes = {} if sizes is None else sizes
    for name, x in arrays.items():
        _is_array(kind, name, x)
        _shape(name, tuple(x.shape), axes.split(), sizes)
    return sizes


def _is_array(kind: str, name: str, x: Any) -> None:
    if not (hasattr(x, "shape") and hasattr(x, "dtype")):
        raise ValueError(f"{name}: must be an array of {kind}, not {_kind(x)}")
    if not any(jnp.issubdtype(x.dtype, allowed) for allowed in _KINDS[kind]):
        raise ValueError(f"{name}: must hold {kind}, not {x.dtype}")


def _shape(name: str, shape: tuple[int, ...], axes: list[str], sizes: Sizes) -> None:
    found = _match(shape, axes)
    if found is None or any(axis in sizes and sizes[axis][0] != n for axis, n in found.items()):
        known = [
            f"{axis}={_told(sizes[axis][0])} of {sizes[axis][1]}" for axis in axes if axis in sizes
        ]
        given = f" with {', '.join(known)}" if known else ""
        comma = "," if len(axes) == 1 else ""
        raise ValueError(
            f"{name}: must have shape ({', '.join(axes)}{comma}){given}, not {_told(shape)}"
        )
    if 0 in shape:
        raise ValueError(f"{name}: is empty, shape {_told(shape)}; must hold at least one example")
    for axis, n in found.items():
        sizes.setdefault(axis, (n, name))


def _match(shape: tuple[int, ...], axes: list[str]) -> dict[str, Any] | None:
    """The size of each named axis; None where the shape has others."""
    parts: list[Any] = list(shape)
    if "…" in axes:
        more = len(shape) - (len(axes) - 1)
        if more < 0:
            return None
        at = axes.index("…")
        parts[at : at + more] = [shape[at : at + more]]
    if len(parts) != len(axes):
        return None
    found: dict[str, Any] = {}
    for axis, n in zip(axes, parts):
        if found.setdefault(axis, n) != n or (axis.isdecimal() and n != int(axis)):
            return None
    return found


def _told(shape: Any) -> str:
    return str(tuple(shape)) if isinstance(shape, (tuple, list)) else str(shape)


def _kind(x: Any) -> str:
    shape = getattr(x, "shape", None)
    return type(x).__name__ if shape is None else f"{x.dtype} {_told(shape)}"
