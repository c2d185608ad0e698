"""Newton's method for linear heads, with a duality gap that says when to stop.

A problem is `min over W of 1/2 |W|^2 + sum_i loss_i(z_i)` with `z_i = W x_i`, convex losses with
weights c_i inside, and G coupled outputs (G = 1 for one class against the rest). P problems of the
same features are solved at once, so that every product is one matrix product for all of them.

A loss is smoothed by its distance from dual variables A, `min over v of loss(v) + sigma/2 |z - v +
A/sigma|^2`, whose gradient `a(z)` is feasible in the dual; A then becomes a(z). This is the
proximal method of multipliers (Rockafellar 1976, "Augmented Lagrangians and applications of the
proximal point algorithm", section 4), with semismooth Newton steps inside (Li, Sun and Toh 2018,
"A highly efficient semismooth Newton augmented Lagrangian method for solving Lasso problems"). A
loss that is smooth by itself needs no A. Newton's equations are solved by conjugate gradients; the
preconditioner is the Hessian of rows that are drawn evenly among those that curve.

For any feasible a, with `g = W + X^T a`, Fenchel and Young give a bound without cancellation:

    gap = 1/2 |g|^2 + sum_i [loss_i(z_i) + loss_i^*(a_i) - a_i z_i]

in which every term is at least 0, and the objective is at most `gap` above its minimum.
"""

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

_HIGHEST = jax.lax.Precision.HIGHEST
_MAX_FEATURES = 1024  # above, the preconditioner is as large as its rows are many
_ROWS = 4  # of the preconditioner, as a multiple of the features
_MAX_CG = 50  # steps for one Newton step
_REBUILD = 8  # steps of conjugate gradients that ask for a new preconditioner
_MAX_TRIALS = 12  # of a line search
_GROWTH = 3.0  # of sigma


class Loss(Protocol):
    """A loss of scores z (N, P, G), the weights of its examples inside."""

    @property
    def smooth(self) -> bool:
        """Returns whether the loss has a gradient without dual variables to smooth it."""

    def center(self, v: jax.Array) -> jax.Array:
        """Takes from weights (D, P, G) what changes no loss, such as the mean over all outputs."""

    def value(self, z: jax.Array) -> jax.Array:
        """Computes the loss, (N, P)."""

    def gradient(self, z: jax.Array, dual: jax.Array, sigma: jax.Array) -> jax.Array:
        """Computes the gradient of the smoothed loss, feasible in the dual; (N, P, G)."""

    def curvature(self, z: jax.Array, dual: jax.Array, sigma: jax.Array) -> "Curvature":
        """Computes the second derivative of the smoothed loss."""

    def fenchel(self, z: jax.Array, a: jax.Array) -> jax.Array:
        """Computes `loss(z) + loss^*(a) - a z`, at least 0; (N, P)."""

    def bound(self, z: jax.Array, g: jax.Array, rw: jax.Array) -> jax.Array | None:
        """Computes the gap where not all weights are penalized, (P,); None: they are."""


class Curvature(NamedTuple):
    """`J v = scale * (v * diagonal - direction * (v . direction))`, all (N, P, G).

    Attributes:
      diagonal: at least 0.
      direction: None: there is none, J is diagonal.
    """

    diagonal: jax.Array
    direction: jax.Array | None

    def apply(self, v: jax.Array) -> jax.Array:
        """Computes J v."""
        if self.direction is None:
            return v * self.diagonal
        return v * self.diagonal - self.direction * (v * self.direction).sum(-1, keepdims=True)

    def block_diagonal(self) -> jax.Array:
        """Returns the diagonal of J."""
        if self.direction is None:
            return self.diagonal
        return jnp.maximum(self.diagonal - self.direction**2, 0)


class Solution(NamedTuple):
    """What `solve` finds.

    Attributes:
      weights: (D, P, G).
      objective: (P,), at the weights.
      gap: (P,), how far the objective is at most above its minimum.
      iterations: (), Newton steps and changes of the dual variables.
      converged: (P,).
    """

    weights: jax.Array
    objective: jax.Array
    gap: jax.Array
    iterations: jax.Array
    converged: jax.Array


class _State(NamedTuple):
    weights: jax.Array
    dual: jax.Array
    sigma: jax.Array
    inverse: Any
    stale: jax.Array
    last: jax.Array
    objective: jax.Array
    gap: jax.Array
    iterations: jax.Array
    done: jax.Array


@jax.jit
def solve(
    x: jax.Array,
    loss: Loss,
    weights: jax.Array,
    sigma: jax.Array,
    penalty: jax.Array,
    tolerance: Any,
    max_iterations: Any,
) -> Solution:
    """Minimizes the objective until `gap <= tolerance * objective` for every problem.

    Args:
      x: (N, D), features.
      loss: of all problems.
      weights: (D, P, G), where to start.
      sigma: (P,), the first strength of smoothing; not used by smooth losses.
      penalty: (D,), 1, or 0 for a weight that is not penalized.
      tolerance: of the gap, relative to the objective.
      max_iterations: Newton steps and changes of the dual variables, at most.
    """
    shape, r = weights.shape, penalty[:, None, None]
    # An inverse costs about as much as so many steps: both are products with rows of x.
    patience = min(max(x.shape[1] ** 2 * _ROWS // (8 * len(x)), _REBUILD), 3 * _REBUILD)

    def scores(w: jax.Array) -> jax.Array:
        z = jnp.matmul(x, w.reshape(len(w), -1), precision=_HIGHEST)
        return z.reshape(len(x), *shape[1:])

    def back(a: jax.Array) -> jax.Array:
        flat = a.reshape(len(x), -1)
        return jnp.matmul(flat.T, x, precision=_HIGHEST).T.reshape(shape)

    def measured(w: jax.Array, z: jax.Array, a: jax.Array) -> tuple[jax.Array, ...]:
        g = r * w + back(a)
        objective = (r * w**2).sum((0, 2)) / 2 + loss.value(z).sum(0)
        apart = loss.fenchel(z, a).sum(0)
        bound = loss.bound(z, g, r * w)
        gap = (g**2).sum((0, 2)) / 2 + apart if bound is None else bound
        return g, objective, gap, apart

    def update(state: _State) -> _State:
        w, dual, strength = state.weights, state.dual, state.sigma
        z = scores(w)  # anew: sums of steps round, and sigma magnifies that
        a = loss.gradient(z, dual, strength)
        g, objective, gap, apart = measured(w, z, a)
        done = gap <= tolerance * objective
        # The smoothed problem is solved well enough once smoothing makes most of the gap.
        moved = jnp.logical_not(done) & ((g**2).sum((0, 2)) / 2 <= 0.1 * apart)
        if loss.smooth:
            moved = jnp.zeros_like(done)
        curvature = loss.curvature(z, dual, strength)
        stale = state.stale & jnp.logical_not(done)
        h = curvature.block_diagonal()
        inverse = jax.lax.cond(
            stale.any(),
            lambda: _inverses(x, h, penalty, state.inverse, stale),
            lambda: state.inverse,
        )
        going = jnp.logical_not(done | moved)
        size = jnp.sqrt((g**2).sum((0, 2)))
        goal = size * jnp.where(going, 0.1, jnp.inf)
        d, dz, steps = _conjugate_gradients(
            lambda v: _hessian(v, scores, back, curvature, r),
            lambda v: loss.center(_precondition(inverse, x, loss.center(v))),
            g,
            z,
            goal,
        )
        eta = _line_search(loss, w, z, d, dz, g, dual, strength, r, going)
        dual = jnp.where(moved[:, None], a, dual) if not loss.smooth else dual
        return _State(
            w + eta[:, None] * d,
            dual,
            jnp.where(moved & (gap > 0.3 * state.last), strength * _GROWTH, strength),
            inverse,
            steps > patience,
            jnp.where(moved, gap, state.last),
            objective,
            gap,
            state.iterations + 1,
            done,
        )

    z = scores(weights)
    p = shape[1]
    dual = jnp.zeros((1, 1, 1) if loss.smooth else z.shape, x.dtype)
    far = jnp.full((p,), jnp.inf, x.dtype)
    one = jax.eval_shape(lambda: _inverse(x, x[:, 0], penalty))
    inverse = jnp.zeros((*shape[1:], *one.shape), x.dtype)
    false = jnp.zeros((p,), bool)
    start = _State(
        weights,
        dual,
        sigma,
        inverse,
        jnp.logical_not(false),
        far,
        far,
        far,
        jnp.zeros((), jnp.int32),
        false,
    )
    state = jax.lax.while_loop(
        lambda s: jnp.logical_not(s.done.all()) & (s.iterations < max_iterations), update, start
    )
    z = scores(state.weights)
    a = loss.gradient(z, state.dual, state.sigma)
    _, objective, gap, _ = measured(state.weights, z, a)
    converged = gap <= tolerance * objective
    return Solution(state.weights, objective, gap, state.iterations, converged)


def _hessian(v: jax.Array, scores: Any, back: Any, curvature: Curvature, r: jax.Array) -> Any:
    vz = scores(v)
    return r * v + back(curvature.apply(vz)), vz


def _dots(a: jax.Array, b: jax.Array) -> jax.Array:
    return (a * b).sum((0, 2))


def _conjugate_gradients(
    hessian: Any, precondition: Any, g: jax.Array, z: jax.Array, goal: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Solves `H d = -g` until |H d + g| <= goal (P,); returns d, its scores, and the steps (P,)."""

    def going(residual: jax.Array) -> jax.Array:
        return jnp.sqrt(_dots(residual, residual)) > goal

    def step(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        d, dz, residual, p, rho, steps, count = carry
        active = going(residual)
        hp, pz = hessian(p)
        curve = _dots(p, hp)
        alpha = jnp.where(active & (curve > 0), rho / jnp.where(curve > 0, curve, 1), 0)[:, None]
        residual = residual - alpha * hp
        s = precondition(residual)
        new = _dots(residual, s)
        beta = jnp.where(rho > 0, new / jnp.where(rho > 0, rho, 1), 0)[:, None]
        d, dz, p = d + alpha * p, dz + alpha * pz, s + beta * p
        return d, dz, residual, p, new, steps + active, count + 1

    s, none = precondition(-g), jnp.zeros(goal.shape, jnp.int32)
    start: Any = (
        jnp.zeros_like(g),
        jnp.zeros_like(z),
        -g,
        s,
        _dots(-g, s),
        none,
        none.sum(),
    )
    d, dz, _, _, _, steps, _ = jax.lax.while_loop(
        lambda c: going(c[2]).any() & (c[6] < _MAX_CG), step, start
    )
    return d, dz, steps


def _line_search(
    loss: Loss,
    w: jax.Array,
    z: jax.Array,
    d: jax.Array,
    dz: jax.Array,
    g: jax.Array,
    dual: jax.Array,
    sigma: jax.Array,
    r: jax.Array,
    going: jax.Array,
) -> jax.Array:
    """Finds a step (P,) by the slope alone, which does not cancel as differences of values do.

    The objective is convex: a slope above 0 at the trial means that the minimum lies before it.
    """
    slope0, wd, dd = _dots(g, d), _dots(r * w, d), _dots(r * d, d)
    enough = 0.3 * jnp.abs(slope0)

    def slope(eta: jax.Array) -> jax.Array:
        a = loss.gradient(z + eta[:, None] * dz, dual, sigma)
        return wd + eta * dd + (a * dz).sum((0, 2))

    def trial(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        eta, at, low, low_at, high, high_at, count = carry
        over = at > 0
        high, high_at = jnp.where(over, eta, high), jnp.where(over, at, high_at)
        low, low_at = jnp.where(over, low, eta), jnp.where(over, low_at, at)
        # The secant, kept away from both ends so that the interval shrinks.
        share = jnp.clip(low_at / jnp.minimum(low_at - high_at, -1e-30), 0.1, 0.9)
        new = jnp.where(wrong(eta, at), low + share * (high - low), eta)
        return new, jnp.where(wrong(eta, at), slope(new), at), low, low_at, high, high_at, count + 1

    def wrong(eta: jax.Array, at: jax.Array) -> jax.Array:
        return going & ((at > enough) | ((at < -enough) & (eta < 1)))

    one = jnp.ones_like(slope0)
    start: Any = (one, slope(one), 0 * one, slope0, one, one, jnp.zeros((), jnp.int32))
    eta, *_ = jax.lax.while_loop(
        lambda c: wrong(c[0], c[1]).any() & (c[6] < _MAX_TRIALS), trial, start
    )
    return jnp.where(going, eta, 0)


def _inverses(
    x: jax.Array, h: jax.Array, penalty: jax.Array, before: jax.Array, stale: jax.Array
) -> jax.Array:
    """Makes the inverses of the problems that are stale (P,), for curvatures h (N, P, G)."""
    p, g = h.shape[1:]

    def one(given: tuple[jax.Array, ...]) -> jax.Array:
        h_N, old, wanted = given
        new: jax.Array = jax.lax.cond(wanted, lambda: _inverse(x, h_N, penalty), lambda: old)
        return new

    flat = before.reshape(p * g, *before.shape[2:])
    made = jax.lax.map(one, (h.reshape(len(x), -1).T, flat, jnp.repeat(stale, g)))
    return jnp.asarray(made).reshape(before.shape)


def _inverse(x: jax.Array, h_N: jax.Array, penalty: jax.Array) -> jax.Array:
    """Inverts an approximation of an output's own Hessian, from at most `_ROWS` D of the rows.

    Every row is there about as often as its curvature is large: places that lie evenly in the
    cumulative sum of h. With more than `_MAX_FEATURES` features, it has fewer rows than features
    and is inverted by them (Woodbury's identity).
    """
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
    # Rounding must not make it indefinite; a preconditioner may be somewhat off.
    trace, eye = jnp.trace(gram), jnp.eye(len(gram), dtype=x.dtype)
    least = jnp.maximum(1e-6 * trace, 1e-4)
    if wide:
        factor = jnp.linalg.cholesky(gram + (1 + least) * eye)
        inverse = jax.scipy.linalg.solve_triangular(factor, b, lower=True)
        return jnp.where(jnp.isfinite(inverse).all(), inverse, 0)
    factor = jnp.linalg.cholesky(gram + jnp.diag(jnp.maximum(penalty, least)))
    inverse = jax.scipy.linalg.cho_solve((factor, True), eye)
    return jnp.where(jnp.isfinite(inverse).all(), inverse, eye / (1 + trace))


def _precondition(inverse: jax.Array, x: jax.Array, v: jax.Array) -> jax.Array:
    if x.shape[1] > _MAX_FEATURES:  # (I + B^T B)^-1 = I - B^T (I + B B^T)^-1 B
        inner = jnp.einsum("pgmd,dpg->pgm", inverse, v)
        return v - jnp.einsum("pgmd,pgm->dpg", inverse, inner)
    return jnp.einsum("pgde,epg->dpg", inverse, v)
