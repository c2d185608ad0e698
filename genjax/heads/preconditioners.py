"""What makes the equations of Newton's method easy: an inverse that is close to the Hessian's.

The Hessian of an output is `penalty + sum_i h_i x_i x_i^T`. `Sampled` inverts the sum over some of
the rows, and lasts for several Newton steps. `Exact` serves losses whose rows bend by a fixed
amount or not at all: a Newton step then adds the rows that began to bend, and takes away those that
ceased. Along a path of rising C these are few (Chapelle 2007, "Training a support vector machine in
the primal", section 3, has the Hessian of the active rows; keeping it up to date is ours).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.lax.linalg import triangular_solve as solve_triangular

from genjax.ops.lapack import one_by_one

_HIGHEST = jax.lax.Precision.HIGHEST
_MAX_FEATURES = 1024  # above, an inverse is as large as its rows are many
_ROWS = 4  # of a sample, as a multiple of the features
_EXACT = 24  # rows, as a multiple of the features: with more and a small C, a sample is quicker
_REBUILD = 8  # steps of conjugate gradients that ask for a new sample
_CHUNK = 128  # rows that are added or taken away at once


@dataclass(frozen=True)
class Preconditioner(ABC):
    """Inverts the Hessians of P problems with G outputs, each output's by itself, about.

    Attributes:
      x: (N, D), features.
      penalty: (D,), 1, or 0 for a weight that is not penalized.
    """

    x: jax.Array
    penalty: jax.Array

    @property
    @abstractmethod
    def patience(self) -> int:
        """Returns how many steps of conjugate gradients may pass without a new inverse."""

    @abstractmethod
    def start(self, h: jax.Array, unit: Any) -> Any:
        """Makes a state that `renew` can work on.

        Args:
          h: (N, P, G), curvatures.
          unit: (P,), of which they are fixed multiples or 0; None: they vary.
        """

    @abstractmethod
    def renew(self, state: Any, h: jax.Array, unit: Any, wanted: jax.Array) -> Any:
        """Brings the problems that are wanted (P,) up to date; h and unit as those of `start`."""

    @abstractmethod
    def apply(self, state: Any, v: jax.Array) -> jax.Array:
        """Multiplies v (D, P, G) by the inverses."""


class Sampled(Preconditioner):
    """Inverts the Hessian of rows that are drawn evenly among those that curve."""

    @property
    def patience(self) -> int:
        """Returns how many steps cost about as much as an inverse: both multiply rows of x."""
        n, size = self.x.shape
        return min(max(size**2 * _ROWS // (8 * n), _REBUILD), 3 * _REBUILD)

    def start(self, h: jax.Array, unit: Any) -> jax.Array:
        """Returns inverses of 0."""
        one = jax.eval_shape(lambda: self._inverse(self.x[:, 0]))
        return jnp.zeros((*h.shape[1:], *one.shape), self.x.dtype)

    def renew(self, state: jax.Array, h: jax.Array, unit: Any, wanted: jax.Array) -> jax.Array:
        """Makes new inverses of the problems that are wanted."""
        groups = h.shape[2]

        def one(given: tuple[jax.Array, ...]) -> jax.Array:
            h_N, old, wanted = given
            new: jax.Array = jax.lax.cond(wanted, lambda: self._inverse(h_N), lambda: old)
            return new

        def all_wanted() -> jax.Array:
            flat = state.reshape(-1, *state.shape[2:])
            columns = h.reshape(len(h), -1).T
            made = jax.lax.map(one, (columns, flat, jnp.repeat(wanted, groups)))
            return jnp.asarray(made).reshape(state.shape)

        renewed: jax.Array = jax.lax.cond(wanted.any(), all_wanted, lambda: state)
        return renewed

    def apply(self, state: jax.Array, v: jax.Array) -> jax.Array:
        """Multiplies by the inverses."""
        if self.x.shape[1] > _MAX_FEATURES:  # (I + B^T B)^-1 = I - B^T (I + B B^T)^-1 B
            inner = jnp.einsum("pgmd,dpg->pgm", state, v)
            return v - jnp.einsum("pgmd,pgm->dpg", state, inner)
        return jnp.einsum("pgde,epg->dpg", state, v)

    def _inverse(self, h_N: jax.Array) -> jax.Array:
        """Inverts an approximation of an output's own Hessian, from at most `_ROWS` D of the rows.

        Every row is there about as often as its curvature is large: places that lie evenly in the
        cumulative sum of h. With more than `_MAX_FEATURES` features, it has fewer rows than
        features and is inverted by them (Woodbury's identity).
        """
        x = self.x
        n, size = x.shape
        wide = size > _MAX_FEATURES
        rows = min(n, _MAX_FEATURES if wide else _ROWS * size)
        if rows == n:
            b = x * jnp.sqrt(h_N)[:, None]
        else:
            total = jnp.cumsum(h_N)
            places = (jnp.arange(rows, dtype=x.dtype) + 0.5) * (total[-1] / rows)
            b = x[jnp.clip(jnp.searchsorted(total, places), 0, n - 1)]
            b = b * jnp.sqrt(total[-1] / rows)
        gram = b @ b.T if wide else b.T @ b
        trace, eye = jnp.trace(gram), jnp.eye(len(gram), dtype=x.dtype)
        if wide:
            inverse = one_by_one(_whitened)(gram + (1 + _least(trace)) * eye, b)
            return jnp.where(jnp.isfinite(inverse).all(), inverse, 0)
        penalty = jnp.maximum(self.penalty, _least(trace))
        inverse = one_by_one(_inverted)(gram + jnp.diag(penalty))
        return jnp.where(jnp.isfinite(inverse).all(), inverse, eye / (1 + trace))


class Kept(NamedTuple):
    """The state of `Exact`.

    Attributes:
      gram: (P, D, D), `sum_i bends_i x_i x_i^T`.
      bends: (P, N), curvatures in units.
      upper: (P, D, D), Cholesky's factor of `penalty + unit * gram`. LAPACK writes the lower one by
        columns, which is the upper one by rows: nothing is transposed in memory.
    """

    gram: jax.Array
    bends: jax.Array
    upper: jax.Array


class Exact(Preconditioner):
    """Factors the Hessian itself, of which every Newton step changes a few rows; G = 1."""

    @property
    def patience(self) -> int:
        """Returns -1: every Newton step wants a new factor, even one that only moved the dual."""
        return -1

    def start(self, h: jax.Array, unit: Any) -> Kept:
        """Makes the sum of what most problems want; what they differ in is added by `renew`."""
        bends = (h[..., 0] / unit).T
        common = bends.max(0)
        gram = jnp.matmul((self.x * common[:, None]).T, self.x, precision=_HIGHEST)
        grams = jnp.broadcast_to(gram, (len(bends), *gram.shape))
        eye = jnp.broadcast_to(jnp.eye(len(gram), dtype=gram.dtype), grams.shape)
        return Kept(grams, jnp.broadcast_to(common, bends.shape), eye)

    def renew(self, state: Kept, h: jax.Array, unit: Any, wanted: jax.Array) -> Kept:
        """Adds the rows that began to bend, takes away those that ceased, and factors anew."""

        def one(_: None, given: tuple[Any, ...]) -> tuple[None, Kept]:
            old, new, unit, wanted = given
            return None, jax.lax.cond(wanted, lambda: self._moved(old, new, unit), lambda: old)

        # A scan, because a loop that writes into its carry copies the whole of it every time.
        _, kept = jax.lax.scan(one, None, (state, (h[..., 0] / unit).T, unit, wanted))
        return Kept(*kept)

    def apply(self, state: Kept, v: jax.Array) -> jax.Array:
        """Solves with the factors."""

        def solve(upper: jax.Array, v: jax.Array) -> jax.Array:
            lower = upper.T
            half = solve_triangular(lower, v, left_side=True, lower=True)
            return solve_triangular(lower, half, left_side=True, lower=True, transpose_a=True)

        return jax.vmap(one_by_one(solve), (0, 1), 1)(state.upper, v)

    def _moved(self, old: Kept, new: jax.Array, unit: jax.Array) -> Kept:
        """Makes one problem's state for what its rows bend by now, (N,)."""
        change = new - old.bends
        # C may have been multiplied and divided: what only rounds is no change.
        change = jnp.where(jnp.abs(change) > 1e-4 * jnp.maximum(new, old.bends), change, 0)
        gram = self._changed(old.gram, change)
        return Kept(gram, old.bends + change, self._factor(gram, unit))

    def _changed(self, gram: jax.Array, change: jax.Array) -> jax.Array:
        """Adds `sum_i change_i x_i x_i^T`, some rows at a time, of which change is not 0."""
        n = len(self.x)
        number = jnp.cumsum(change != 0)  # of each row that changes, from 1

        def add(done: jax.Array, gram: jax.Array) -> jax.Array:
            wanted = done * _CHUNK + 1 + jnp.arange(_CHUNK)
            row = jnp.searchsorted(number, wanted)
            b = self.x[jnp.minimum(row, n - 1)]
            factor = jnp.where(row < n, change[jnp.minimum(row, n - 1)], 0)
            return gram + jnp.matmul((b * factor[:, None]).T, b, precision=_HIGHEST)

        chunks = (number[-1] + _CHUNK - 1) // _CHUNK
        changed: jax.Array = jax.lax.fori_loop(0, chunks, add, gram)
        return changed

    def _factor(self, gram: jax.Array, unit: jax.Array) -> jax.Array:
        least = _least(unit * jnp.trace(gram))
        hessian = unit * gram + jnp.diag(jnp.maximum(self.penalty, least))
        upper = one_by_one(_lower_factor)(hessian.T).T
        plain = jnp.eye(len(gram), dtype=gram.dtype) * jnp.sqrt(1 + unit * jnp.trace(gram))
        return jnp.where(jnp.isfinite(upper).all(), upper, plain)


def _whitened(matrix: jax.Array, b: jax.Array) -> jax.Array:
    """Solves `L y = b`, where `L L^T` is the matrix."""
    return jax.scipy.linalg.solve_triangular(jnp.linalg.cholesky(matrix), b, lower=True)


def _inverted(matrix: jax.Array) -> jax.Array:
    factor = jnp.linalg.cholesky(matrix)
    return jax.scipy.linalg.cho_solve((factor, True), jnp.eye(len(matrix), dtype=matrix.dtype))


def _lower_factor(matrix: jax.Array) -> jax.Array:
    return jax.lax.linalg.cholesky(matrix, symmetrize_input=False)


def of(x: jax.Array, penalty: jax.Array, steps: bool) -> Preconditioner:
    """Chooses by shapes; `steps` says whether rows bend by a fixed amount or not at all."""
    n, size = x.shape
    if steps and size <= _MAX_FEATURES and n <= _EXACT * size:
        return Exact(x, penalty)
    return Sampled(x, penalty)


def _least(trace: jax.Array) -> Any:
    """Rounding must not make a sum indefinite; a preconditioner may be somewhat off."""
    return jnp.maximum(1e-6 * trace, 1e-4)
