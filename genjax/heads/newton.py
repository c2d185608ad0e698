"""Newton's method for linear heads, with a duality gap that says when to stop.

A problem is `min over W of 1/2 |W|^2 + sum_i loss_i(z_i)` with `z_i = W x_i`, convex losses with
weights c_i inside, and G coupled outputs (G = 1 for one class against the rest). P problems of the
same features are solved at once, so that every product is one matrix product for all of them.

A loss is smoothed by its distance from dual variables A, `min over v of loss(v) + sigma/2 |z - v +
A/sigma|^2`, whose gradient `a(z)` is feasible in the dual; A then becomes a(z). This is the
proximal method of multipliers (Rockafellar 1976, "Augmented Lagrangians and applications of the
proximal point algorithm", section 4), with semismooth Newton steps inside (Li, Sun and Toh 2018,
"A highly efficient semismooth Newton augmented Lagrangian method for solving Lasso problems"). A
loss that is smooth by itself needs no A. Newton's equations are solved by conjugate gradients, with
the help of `genjax.heads.preconditioners`.

For any feasible a, with `g = W + X^T a`, Fenchel and Young give a bound without cancellation:

    gap = 1/2 |g|^2 + sum_i [loss_i(z_i) + loss_i^*(a_i) - a_i z_i]

in which every term is at least 0, and the objective is at most `gap` above its minimum.
"""

from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from genjax.heads import preconditioners

_HIGHEST = jax.lax.Precision.HIGHEST
_MAX_CG = 50  # steps for one Newton step
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

    def unit(self, sigma: jax.Array) -> jax.Array | None:
        """Returns what a row's curvature is a fixed multiple of, or 0, (P,); None: it varies."""

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


class Point(NamedTuple):
    """Where `solve` starts and ends.

    Attributes:
      weights: (D, P, G).
      dual: (N, P, G); (1, 1, 1) of a smooth loss.
      inverse: state of the preconditioner.
    """

    weights: jax.Array
    dual: jax.Array
    inverse: Any


class Solution(NamedTuple):
    """What `solve` finds.

    Attributes:
      point: the minimum, where a problem like this one may start.
      objective: (P,), at the weights.
      gap: (P,), how far the objective is at most above its minimum.
      iterations: (), Newton steps and changes of the dual variables.
      converged: (P,).
    """

    point: Point
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


def origin(x: jax.Array, loss: Loss, shape: Any, sigma: jax.Array, penalty: jax.Array) -> Point:
    """Makes the point with weights of 0, for (D, P, G) of `shape`; others as those of `solve`."""
    z = jnp.zeros((len(x), *shape[1:]), x.dtype)
    dual = jnp.zeros((1, 1, 1) if loss.smooth else z.shape, x.dtype)
    h = loss.curvature(z, dual, sigma).block_diagonal()
    unit = loss.unit(sigma)
    chosen = preconditioners.of(x, penalty, unit is not None)
    return Point(jnp.zeros(shape, x.dtype), dual, chosen.start(h, unit))


@jax.jit
def solve(
    x: jax.Array,
    loss: Loss,
    start: Point,
    sigma: jax.Array,
    penalty: jax.Array,
    tolerance: Any,
    max_iterations: Any,
) -> Solution:
    """Minimizes the objective until `gap <= tolerance * objective` for every problem.

    Args:
      x: (N, D), features.
      loss: of all problems.
      start: made by `origin`, or the end of a problem with the same features.
      sigma: (P,), the first strength of smoothing; not used by smooth losses.
      penalty: (D,), 1, or 0 for a weight that is not penalized.
      tolerance: of the gap, relative to the objective.
      max_iterations: Newton steps and changes of the dual variables, at most.
    """
    shape, r = start.weights.shape, penalty[:, None, None]
    preconditioner = preconditioners.of(x, penalty, loss.unit(sigma) is not None)

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
        inverse = preconditioner.renew(state.inverse, h, loss.unit(strength), stale)
        going = jnp.logical_not(done | moved)
        size = jnp.sqrt((g**2).sum((0, 2)))
        goal = size * jnp.where(going, 0.1, jnp.inf)
        d, dz, steps = _conjugate_gradients(
            lambda v: _hessian(v, scores, back, curvature, r),
            lambda v: loss.center(preconditioner.apply(inverse, loss.center(v))),
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
            steps > preconditioner.patience,
            jnp.where(moved, gap, state.last),
            objective,
            gap,
            state.iterations + 1,
            done,
        )

    far = jnp.full(shape[1:2], jnp.inf, x.dtype)
    true = jnp.ones(shape[1:2], bool)
    none = jnp.zeros((), jnp.int32)
    begin = _State(*start[:2], sigma, start.inverse, true, far, far, far, none, ~true)
    state = jax.lax.while_loop(
        lambda s: jnp.logical_not(s.done.all()) & (s.iterations < max_iterations), update, begin
    )
    z = scores(state.weights)
    a = loss.gradient(z, state.dual, state.sigma)
    _, objective, gap, _ = measured(state.weights, z, a)
    converged = gap <= tolerance * objective
    end = Point(state.weights, state.dual, state.inverse)
    return Solution(end, objective, gap, state.iterations, converged)


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
        s = precondition(residual)
        new = _dots(residual, s)
        p = s + jnp.where(rho > 0, new / jnp.where(rho > 0, rho, 1), 0)[:, None] * p
        hp, pz = hessian(p)
        curve = _dots(p, hp)
        alpha = jnp.where(active & (curve > 0), new / jnp.where(curve > 0, curve, 1), 0)[:, None]
        d, dz, residual = d + alpha * p, dz + alpha * pz, residual - alpha * hp
        return d, dz, residual, p, new, steps + active, count + 1

    zero, none = jnp.zeros_like(g), jnp.zeros(goal.shape, jnp.int32)
    rho = jnp.zeros_like(goal)
    start: Any = (zero, jnp.zeros_like(z), -g, zero, rho, none, none.sum())
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
