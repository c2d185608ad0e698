"""Spectral normalization: every weight matrix of a network over its largest singular value.

It acts on the tree of parameters, before the network is applied, so that any layer can be
normalized. A kernel is the matrix W of its last axis (outputs) by all others (inputs), as in Miyato
et al. 2018 (Spectral normalization for GANs), section 3; vectors (biases, scales) stay as they are.

Each kernel has a unit vector u over its outputs, near W's first left singular vector.
`power_iteration` brings it nearer, once an update of the network (there: algorithm 1), and `sigma =
||W^T u||`, so that the gradient of sigma is u v^T with v = W^T u / sigma, as there.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict

_EPSILON = 1e-12


def initial_vectors(params: Any, key: jax.Array) -> Any:
    """Draws unit vectors, one for each kernel: a tree with the paths of the kernels.

    Args:
      params: nested dicts; leaves of two or more axes are kernels.
      key: PRNG key.
    """
    kernels = {path: p for path, p in flatten_dict(params).items() if p.ndim >= 2}
    keys = jax.random.split(key, len(kernels))
    draws = {
        path: jax.random.normal(k, kernel.shape[-1:])
        for k, (path, kernel) in zip(keys, kernels.items(), strict=True)
    }
    return unflatten_dict({path: u / jnp.linalg.norm(u) for path, u in draws.items()})


def power_iteration(params: Any, vectors: Any) -> Any:
    """Takes each vector u to W W^T u over its norm; u stays where that vanishes."""
    kernels = flatten_dict(params)

    def iterate(kernel: jax.Array, u: jax.Array) -> jax.Array:
        matrix = kernel.reshape(-1, kernel.shape[-1])  # W^T
        v = _product(matrix, u)
        v = v / jnp.maximum(jnp.linalg.norm(v), _EPSILON)
        new = _product(v, matrix)
        norm = jnp.linalg.norm(new)
        return jnp.where(norm > _EPSILON, new / jnp.maximum(norm, _EPSILON), u)

    flat = flatten_dict(vectors)
    return unflatten_dict({path: iterate(kernels[path], u) for path, u in flat.items()})


def spectrally_normalized(params: Any, vectors: Any) -> Any:
    """Divides each kernel by `sqrt(||W^T u||^2 + epsilon)`, by which zero stays zero."""
    flat = flatten_dict(params)
    for path, u in flatten_dict(vectors).items():
        kernel = flat[path]
        product = _product(kernel.reshape(-1, kernel.shape[-1]), u)
        flat[path] = kernel / jnp.sqrt(jnp.square(product).sum() + _EPSILON)
    return unflatten_dict(flat)


def _product(a: jax.Array, b: jax.Array) -> jax.Array:
    return jnp.dot(a, b, precision=jax.lax.Precision.HIGHEST)
