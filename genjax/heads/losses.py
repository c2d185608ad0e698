"""Losses of linear heads, as `genjax.heads.newton` wants them: value, gradient, curvature, dual.

Shapes: N examples, P problems, G coupled outputs of a problem (1, or the classes).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from genjax.heads.newton import Curvature


class SquaredHinge(NamedTuple):
    """`c max(0, 1 - t z)^2`, liblinear's L2-loss (Fan et al. 2008, "LIBLINEAR", section 2).

    Attributes:
      t: (N, P, 1), -1 or 1.
      c: (N, P, 1), C times the weight of the example.
    """

    t: jax.Array
    c: jax.Array

    @property
    def smooth(self) -> bool:
        """Returns True."""
        return True

    def center(self, v: jax.Array) -> jax.Array:
        """Returns `v`: all of it counts."""
        return v

    def value(self, z: jax.Array) -> jax.Array:
        """Computes the loss, (N, P)."""
        return (self.c * jnp.maximum(1 - self.t * z, 0) ** 2)[..., 0]

    def gradient(self, z: jax.Array, dual: jax.Array, sigma: jax.Array) -> jax.Array:
        """Computes `-t 2c max(0, 1 - t z)`."""
        return -2 * self.c * self.t * jnp.maximum(1 - self.t * z, 0)

    def curvature(self, z: jax.Array, dual: jax.Array, sigma: jax.Array) -> Curvature:
        """Computes 2c where the margin is not kept."""
        return Curvature(jnp.where(self.t * z < 1, 2 * self.c, 0), None)

    def unit(self, sigma: jax.Array) -> jax.Array:
        """Returns twice the largest c."""
        return jnp.maximum(2 * self.c.max((0, 2)), jnp.finfo(self.c.dtype).tiny)

    def fenchel(self, z: jax.Array, a: jax.Array) -> jax.Array:
        """Returns 0: `a` is the gradient."""
        return jnp.zeros(z.shape[:2], z.dtype)

    def bound(self, z: jax.Array, g: jax.Array, rw: jax.Array) -> None:
        """Returns None: all weights are penalized."""


class Hinge(NamedTuple):
    """`c max(0, 1 - t z)`, liblinear's L1-loss; t and c as in `SquaredHinge`."""

    t: jax.Array
    c: jax.Array

    @property
    def smooth(self) -> bool:
        """Returns False."""
        return False

    def center(self, v: jax.Array) -> jax.Array:
        """Returns `v`: all of it counts."""
        return v

    def value(self, z: jax.Array) -> jax.Array:
        """Computes the loss, (N, P)."""
        return (self.c * jnp.maximum(1 - self.t * z, 0))[..., 0]

    def gradient(self, z: jax.Array, dual: jax.Array, sigma: jax.Array) -> jax.Array:
        """Computes `-t alpha`, alpha clipped to 0 … c."""
        return -self.t * jnp.clip(self._alpha(z, dual, sigma), 0, self.c)

    def curvature(self, z: jax.Array, dual: jax.Array, sigma: jax.Array) -> Curvature:
        """Computes sigma where alpha is not clipped."""
        alpha = self._alpha(z, dual, sigma)
        return Curvature(jnp.where((alpha > 0) & (alpha < self.c), sigma[:, None], 0), None)

    def unit(self, sigma: jax.Array) -> jax.Array:
        """Returns sigma."""
        return sigma

    def fenchel(self, z: jax.Array, a: jax.Array) -> jax.Array:
        """Computes `c max(0, 1 - t z) - alpha (1 - t z)`."""
        slack = 1 - self.t * z
        alpha = -self.t * a
        return jnp.where(slack > 0, (self.c - alpha) * slack, -alpha * slack)[..., 0]

    def bound(self, z: jax.Array, g: jax.Array, rw: jax.Array) -> None:
        """Returns None: all weights are penalized."""

    def _alpha(self, z: jax.Array, dual: jax.Array, sigma: jax.Array) -> jax.Array:
        return -self.t * dual + sigma[:, None] * (1 - self.t * z)


class CrammerSinger(NamedTuple):
    """`c max over k of (z_k - z_y + [k != y])` (Crammer and Singer 2001, equation 5).

    Attributes:
      y: (N, 1, K), one-hot.
      c: (N, P, 1), C times the weight of the example.
      present: (K,), 0 for a class that is left out.
    """

    y: jax.Array
    c: jax.Array
    present: jax.Array

    @property
    def smooth(self) -> bool:
        """Returns False."""
        return False

    def center(self, v: jax.Array) -> jax.Array:
        """Takes the mean over the classes that are present, and all of the others."""
        return _centered(v, self.present)

    def value(self, z: jax.Array) -> jax.Array:
        """Computes the loss, (N, P)."""
        return self.c[..., 0] * self._margins(z).max(-1)

    def gradient(self, z: jax.Array, dual: jax.Array, sigma: jax.Array) -> jax.Array:
        """Computes `p - c y`, with p the nearest point of the simplex of size c."""
        return self._simplex(z, dual, sigma) - self.c * self.y

    def curvature(self, z: jax.Array, dual: jax.Array, sigma: jax.Array) -> Curvature:
        """Computes sigma times the projection onto differences of the classes with p > 0."""
        inside = (self._simplex(z, dual, sigma) > 0).astype(z.dtype)
        scale = sigma[:, None] * inside
        number = jnp.maximum(inside.sum(-1, keepdims=True), 1)
        return Curvature(scale, inside * jnp.sqrt(sigma[:, None] / number))

    def unit(self, sigma: jax.Array) -> None:
        """Returns None: it depends on the scores of all classes."""

    def fenchel(self, z: jax.Array, a: jax.Array) -> jax.Array:
        """Computes `sum_k p_k (max_j m_j - m_k)` of the margins m."""
        m = self._margins(z)
        m = jnp.where(self.present > 0, m, m.max(-1, keepdims=True))
        return ((a + self.c * self.y) * (m.max(-1, keepdims=True) - m)).sum(-1)

    def bound(self, z: jax.Array, g: jax.Array, rw: jax.Array) -> None:
        """Returns None: all weights are penalized."""

    def _margins(self, z: jax.Array) -> jax.Array:
        m = z - (z * self.y).sum(-1, keepdims=True) + 1 - self.y
        return jnp.where(self.present > 0, m, -jnp.inf)

    def _simplex(self, z: jax.Array, dual: jax.Array, sigma: jax.Array) -> jax.Array:
        """Projects by Michelot's rule (1986): in at most K steps the set of p > 0 is found."""
        m = z - (z * self.y).sum(-1, keepdims=True) + 1 - self.y
        v = dual + self.c * self.y + sigma[:, None] * m
        there = jnp.broadcast_to(self.present > 0, v.shape)

        def shrink(_: int, inside: jax.Array) -> jax.Array:
            smaller = inside & (v > _threshold(v, inside, self.c))
            return jnp.where(smaller.any(-1, keepdims=True), smaller, inside)

        inside = jax.lax.fori_loop(0, v.shape[-1], shrink, there)
        p = jnp.maximum(v - _threshold(v, inside, self.c), 0)
        return jnp.where(inside & (self.c > 0), p, 0)


def _centered(v: jax.Array, present: jax.Array) -> jax.Array:
    mean = (v * present).sum(-1, keepdims=True) / jnp.maximum(present.sum(), 1)
    return (v - mean) * present


def _threshold(v: jax.Array, inside: jax.Array, c: jax.Array) -> jax.Array:
    number = jnp.maximum(inside.sum(-1, keepdims=True), 1)
    return (jnp.where(inside, v, 0).sum(-1, keepdims=True) - c) / number


class Softmax(NamedTuple):
    """`-c log softmax(z)_y`, multinomial logistic regression.

    Attributes:
      y: (N, 1, K), one-hot.
      c: (N, P, 1), C times the weight of the example.
      present: (K,), 0 for a class that is left out.
      sums: with an intercept, whose weight is the last and not penalized: `X^T c`, (D, P, 1), and
        `X^T (c y)`, (D, P, K); None: there is none.
    """

    y: jax.Array
    c: jax.Array
    present: jax.Array
    sums: tuple[jax.Array, jax.Array] | None

    @property
    def smooth(self) -> bool:
        """Returns True."""
        return True

    def center(self, v: jax.Array) -> jax.Array:
        """Takes the mean over the classes that are present, and all of the others."""
        return _centered(v, self.present)

    def value(self, z: jax.Array) -> jax.Array:
        """Computes the loss, (N, P)."""
        z = self._scores(z)
        mine = jnp.where(self.y > 0, z, 0).sum(-1)
        return self.c[..., 0] * (jax.nn.logsumexp(z, -1) - mine)

    def gradient(self, z: jax.Array, dual: jax.Array, sigma: jax.Array) -> jax.Array:
        """Computes `c (p - y)`."""
        return self.c * (jax.nn.softmax(self._scores(z), -1) - self.y)

    def curvature(self, z: jax.Array, dual: jax.Array, sigma: jax.Array) -> Curvature:
        """Computes `c (diag(p) - p p^T)`."""
        p = jax.nn.softmax(self._scores(z), -1)
        return Curvature(self.c * p, jnp.sqrt(self.c) * p)

    def unit(self, sigma: jax.Array) -> None:
        """Returns None: it depends on the scores of all classes."""

    def fenchel(self, z: jax.Array, a: jax.Array) -> jax.Array:
        """Returns 0: `a` is the gradient."""
        return jnp.zeros(z.shape[:2], z.dtype)

    def bound(self, z: jax.Array, g: jax.Array, rw: jax.Array) -> jax.Array | None:
        """Computes the gap from dual variables whose sum over the examples is 0 for every class.

        An intercept without a penalty asks that `sum c (p - y) = 0`, which holds at the minimum
        only. `p' = (1 - theta) p + theta q`, the same q for all examples, meets it; the loss of p'
        is `sum c KL(p' | p)`.
        """
        if self.sums is None:
            return None
        total, by_class = self.sums
        number, excess = by_class[-1], g[-1]  # (P, K): examples of a class, and too many of p
        ratio = jnp.where(number > 0, excess / jnp.where(number > 0, number, 1), 0).max(-1)
        ratio = jnp.maximum(ratio, 0)[:, None]
        theta = ratio / (1 + ratio)
        q = jnp.where(ratio > 0, number - excess / jnp.where(ratio > 0, ratio, 1), number)
        q = q * self.present / number.sum(-1, keepdims=True)
        g = rw + (1 - theta) * (g - rw) + theta * (total * q - by_class)
        log_p = jax.nn.log_softmax(self._scores(z), -1)
        p = jnp.exp(log_p)
        change = theta * (q - p)
        moved = p + change
        small = jnp.abs(change) < p / 2  # where the logarithms cancel
        ratio = jnp.log1p(jnp.where(small, change / jnp.where(small, p, 1), 0))
        larger = small | (moved <= 0)
        ratio = jnp.where(
            larger, ratio, jnp.log(jnp.where(larger, 1, moved)) - jnp.where(larger, 0, log_p)
        )
        apart = (self.c * jnp.maximum(moved * ratio - change, 0)).sum((0, 2))
        return (g[:-1] ** 2).sum((0, 2)) / 2 + apart

    def _scores(self, z: jax.Array) -> jax.Array:
        return jnp.where(self.present > 0, z, -jnp.inf)
