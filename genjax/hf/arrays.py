"""Parameters by dotted names, and what a folder's tensors are checked for."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict

from genjax.core.config import ConfigError

Arrays = dict[str, np.ndarray]


def flattened(params: Any) -> Arrays:
    """Returns parameters by dotted names, with zeros for biases that layers and norms lack."""
    flat = {name: np.asarray(x) for name, x in flatten_dict(params, sep=".").items()}
    for name, x in list(flat.items()):
        module, _, leaf = name.rpartition(".")
        if leaf in ("kernel", "scale") and f"{module}.bias" not in flat:
            shape = x.shape if leaf == "scale" else (*x.shape[:-2], x.shape[-1])
            flat[f"{module}.bias"] = np.zeros(shape, x.dtype)
    return flat


def stacked(tensors: Arrays, name: str) -> np.ndarray:
    """Stacks what `name`, with a layer's number for `{}`, is in all layers: (L, …)."""
    found: list[np.ndarray] = []
    while (of_layer := name.format(len(found))) in tensors:
        found.append(tensors[of_layer])
    return np.stack(found)


def without_copy(tensors: Arrays, copy: str, of: str, message: str) -> Arrays:
    """Returns the tensors without `copy`, which must equal `of` if it is there."""
    if copy in tensors and of in tensors and not np.array_equal(tensors[copy], tensors[of]):
        raise ConfigError(f"{message}: {copy} is not {of}; with tie_word_embeddings it must be")
    return {name: x for name, x in tensors.items() if name != copy}


def check(tensors: Arrays, needed: Mapping[str, tuple[int, ...]], model: str, message: str) -> None:
    """Raises `ConfigError` unless the tensors are exactly the `needed` ones of `model`."""
    for name, shape in needed.items():
        if name not in tensors:
            raise ConfigError(f"{message}: has no {name}; {model} needs it, of shape {shape}")
        x = tensors[name]
        if x.shape != shape:
            raise ConfigError(f"{message}: {name} is {x.shape}; config.json needs {shape}")
        if x.dtype != np.float32:
            raise ConfigError(f"{message}: {name} is {x.dtype}; must be of floating-point numbers")
    for name, x in tensors.items():
        if name not in needed:
            raise ConfigError(f"{message}: has {name}, shape {x.shape}; {model} has no such tensor")
