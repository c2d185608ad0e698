"""Paths of parameters, as `encoder/Dense_0/kernel`, and patterns that name them in configs."""

import fnmatch
from collections.abc import Iterable
from typing import Any

import jax

_MOST = 8  # names that an error lists


def path_of(keys: Any) -> str:
    """Returns the path of a leaf from its keys in the tree, as JAX gives them."""
    return jax.tree_util.keystr(keys, simple=True, separator="/")


def matches(pattern: str, path: str) -> bool:
    """Says whether a pattern names the path, or something that the path lies in.

    `*` and `?` stand for any characters, "/" as well: `encoder`, `enc*`, `*/kernel`.
    """
    return fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, f"{pattern}/*")


def listed(paths: Iterable[str], most: int = _MOST) -> str:
    """Lists paths for an error, the first of them and how many more there are."""
    found = list(dict.fromkeys(paths))
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more
