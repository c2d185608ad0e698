"""Kernels, and features whose products are about a kernel's values."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.lapack import one_by_one
from genjax.ops.precision import at_least_float32

_HIGHEST = jax.lax.Precision.HIGHEST


class Linear(NamedTuple):
    """`x.y`."""

    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        """Computes the kernel of x (N, D) and y (M, D), (N, M)."""
        return _products(x, y)


class RBF(NamedTuple):
    """`exp(-gamma |x - y|^2)`.

    Attributes:
      gamma: above 0; see `scale`.
    """

    gamma: Any

    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        """Computes the kernel of x (N, D) and y (M, D), (N, M)."""
        return jnp.exp(-self.gamma * squared_distances(x, y))


class Polynomial(NamedTuple):
    """`(gamma x.y + offset)^degree`.

    Attributes:
      gamma: above 0; see `scale`.
      degree: a whole number above 0.
      offset: at least 0; LIBSVM's `coef0`.
    """

    gamma: Any
    degree: Any = 3
    offset: Any = 0.0

    def __call__(self, x: jax.Array, y: jax.Array) -> jax.Array:
        """Computes the kernel of x (N, D) and y (M, D), (N, M)."""
        value: jax.Array = (self.gamma * _products(x, y) + self.offset) ** self.degree
        return value


Kernel = Linear | RBF | Polynomial


def scale(x: jax.Array) -> jax.Array:
    """Computes `1 / (D var(x))`, which scikit-learn calls `gamma="scale"`; 1 of constant x."""
    checks.floats("N D", x=x)
    variance = at_least_float32(x).var()
    return jnp.where(variance > 0, 1 / (x.shape[1] * jnp.where(variance > 0, variance, 1)), 1.0)


def squared_distances(x: jax.Array, y: jax.Array) -> jax.Array:
    """Computes `|x - y|^2` of x (N, D) and y (M, D), (N, M), at least 0.

    Both are moved by the mean of y first: less cancels.
    """
    mean = y.mean(0)
    x, y = x - mean, y - mean
    norms = (x**2).sum(1)[:, None] + (y**2).sum(1)
    return jnp.maximum(norms - 2 * _products(x, y), 0)


class FourierFeatures(NamedTuple):
    """Random features of the RBF kernel (Rahimi and Recht 2007, algorithm 1).

    Attributes:
      frequencies: (D, M), normal of variance 2 gamma.
      phases: (M,), uniform in 0 … 2 pi.
    """

    frequencies: jax.Array
    phases: jax.Array

    def __call__(self, x: jax.Array) -> jax.Array:
        """Computes `sqrt(2 / M) cos(x w + phase)` of x (N, D), (N, M)."""
        checks.floats("N D", {"D": (len(self.frequencies), "frequencies")}, x=x)
        wave = jnp.matmul(at_least_float32(x), self.frequencies, precision=_HIGHEST) + self.phases
        return jnp.cos(wave) * math.sqrt(2 / len(self.phases))


def fourier_features(key: jax.Array, dim: int, number: int, gamma: Any) -> FourierFeatures:
    """Draws `number` random Fourier features of the RBF kernel for inputs of `dim` features."""
    checks.key("key", key)
    checks.whole("dim", dim, 1)
    checks.whole("number", number, 1)
    checks.number("gamma", gamma, above=0)
    first, second = jax.random.split(key)
    frequencies = jax.random.normal(first, (dim, number)) * jnp.sqrt(2.0 * gamma)
    return FourierFeatures(frequencies, jax.random.uniform(second, (number,)) * (2 * math.pi))


class Nystroem(NamedTuple):
    """Features whose products are the kernel's values at the centers (Williams and Seeger 2001).

    Attributes:
      kernel: of the features.
      centers: (M, D).
      projection: (M, M), `K(centers, centers)^(-1/2)`; eigenvalues that are 0 up to rounding are
        left out.
    """

    kernel: Kernel
    centers: jax.Array
    projection: jax.Array

    def __call__(self, x: jax.Array) -> jax.Array:
        """Computes `K(x, centers) K(centers, centers)^(-1/2)` of x (N, D), (N, M)."""
        checks.floats("N D", {"D": (self.centers.shape[1], "centers")}, x=x)
        near = self.kernel(at_least_float32(x), self.centers)
        return jnp.matmul(near, self.projection, precision=_HIGHEST)


def nystroem(key: jax.Array, x: jax.Array, number: int, kernel: Kernel) -> Nystroem:
    """Makes Nyström features with `number` different rows of x (N, D), drawn evenly, as centers."""
    checks.key("key", key)
    checks.floats("N D", x=x)
    checks.whole("number", number, 1, len(x))
    centers = at_least_float32(x)[jax.random.permutation(key, len(x))[:number]]
    values, vectors = one_by_one(lambda k: jnp.linalg.eigh(k))(kernel(centers, centers))
    least = values[-1] * number * jnp.finfo(values.dtype).eps
    root = jnp.where(values > least, 1 / jnp.sqrt(jnp.maximum(values, least)), 0)
    projection = jnp.matmul(vectors * root, vectors.T, precision=_HIGHEST)
    return Nystroem(kernel, centers, projection)


def _products(x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.matmul(x, y.T, precision=_HIGHEST)
