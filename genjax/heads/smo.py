"""The dual of C-SVC on a kernel matrix, many problems at once, with a duality gap.

A problem takes n rows of the kernel matrix, with signs t, and solves (Cortes and Vapnik 1995)

    max over alpha of  sum alpha - 1/2 sum_ij alpha_i t_i K_ij t_j alpha_j,   0 <= alpha_i <= c_i

and with a bias `sum_i t_i alpha_i = 0`, as LIBSVM has it (Chang and Lin 2011, equation 2). Each
round takes the rows that violate the optimality conditions most (Joachims 1999, "Making large-scale
SVM learning practical", section 3), solves them alone by sequential minimal optimization with
second-order pairs (Fan, Chen and Lin 2005, working set selection 2), and then moves all scores by
one product (Wen et al. 2018, "ThunderSVM"). With `w = sum alpha_i t_i phi(x_i)` and scores f, the
primal objective lies above the dual one by

    gap = sum_i [c_i max(0, 1 - t_i (f_i + b)) - alpha_i (1 - t_i (f_i + b))]

whose terms are all at least 0. Where C is large, rounding of margins that should be 1 makes most of
the gap: w and b a little longer have a smaller objective, and are taken.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

_HIGHEST = jax.lax.Precision.HIGHEST
_LEAST = 1e-6  # of the squared distance of two rows, relative to their norms
_ENOUGH = 0.7  # of the tolerance: the scores are summed up anew at the end, which rounds otherwise
_LONGER = (1.0, 1 + 1e-5, 1 + 4e-5)  # factors of w and b


class Problems(NamedTuple):
    """Binary problems on rows of one kernel matrix.

    Attributes:
      rows: (B, n), of the kernel matrix; a row that does not count has c = 0.
      t: (B, n), -1 or 1.
      c: (B, n), the largest alpha.
    """

    rows: jax.Array
    t: jax.Array
    c: jax.Array


class Duals(NamedTuple):
    """What `solve` finds.

    Attributes:
      coefficients: (N, B), of every row of the kernel matrix in w: `t alpha`, up to a factor.
      scores: (N, B), `K @ coefficients + bias`.
      bias: (B,).
      objective: (B,), of the primal problem.
      gap: (B,), how far the objective is at most above its minimum.
      iterations: (), rounds.
      converged: (B,).
    """

    coefficients: jax.Array
    scores: jax.Array
    bias: jax.Array
    objective: jax.Array
    gap: jax.Array
    iterations: jax.Array
    converged: jax.Array


class _State(NamedTuple):
    alpha: jax.Array
    f: jax.Array
    rounds: jax.Array
    done: jax.Array


@functools.partial(jax.jit, static_argnames=("bias", "block"))
def solve(
    kernel: jax.Array,
    problems: Problems,
    tolerance: Any,
    max_iterations: Any,
    bias: bool = True,
    block: int = 128,
) -> Duals:
    """Solves all problems until `gap <= tolerance * objective`.

    Args:
      kernel: (N, N).
      problems: of its rows.
      tolerance: of the gap, relative to the objective.
      max_iterations: rounds, at most.
      bias: whether there is one.
      block: rows that a round solves.
    """
    rows, t, c = problems
    b, n = rows.shape
    size = min(block, n - n % 2)
    diagonal = jnp.diagonal(kernel)

    def update(state: _State) -> _State:
        alpha, f = state.alpha, state.f
        now = _measured(alpha, f, t, c, bias)
        done = now.gap <= _ENOUGH * tolerance * now.objective
        chosen = _chosen(alpha, f, t, c, bias, size)  # (B, size)
        own = jnp.take_along_axis(rows, chosen, 1)
        inner = jax.vmap(lambda r: kernel[r[:, None], r[None, :]])(own)
        at = [jnp.take_along_axis(v, chosen, 1) for v in (alpha, t - f, t, c)]
        # A row that was chosen from both ends is there once.
        half = size // 2
        twice = (chosen[:, half:, None] == chosen[:, None, :half]).any(2) if bias else None
        free = jnp.ones(chosen.shape, bool)
        if twice is not None:
            free = free.at[:, half:].set(jnp.logical_not(twice))
        free = free & jnp.logical_not(done)[:, None]
        minimize = _pairs if bias else _singles
        moved = minimize(inner, *at, diagonal[own], free)
        change = jnp.where(free, at[2] * (moved - at[0]), 0)

        def product(one: tuple[jax.Array, ...]) -> jax.Array:
            r, mine, step = one
            return jnp.matmul(kernel[r[:, None], mine[None, :]], step, precision=_HIGHEST)

        f = f + jax.lax.map(product, (rows, own, change))
        places = jnp.where(free, chosen, n)  # what is not free is not written
        alpha = jax.vmap(lambda a, i, m: a.at[i].set(m, mode="drop"))(alpha, places, moved)
        return _State(alpha, f, state.rounds + 1, done)

    zeros = jnp.zeros((b, n), kernel.dtype)
    start = _State(zeros, zeros, jnp.zeros((), jnp.int32), jnp.zeros((b,), bool))
    state = jax.lax.while_loop(
        lambda s: jnp.logical_not(s.done.all()) & (s.rounds < max_iterations), update, start
    )
    coefficients = jnp.zeros((b, len(kernel)), kernel.dtype)
    coefficients = jax.vmap(lambda z, r, v: z.at[r].add(v))(coefficients, rows, t * state.alpha)
    scores = jnp.matmul(kernel, coefficients.T, precision=_HIGHEST)
    end = _measured(state.alpha, jnp.take_along_axis(scores.T, rows, 1), t, c, bias)
    return Duals(
        coefficients.T * end.factor,
        scores * end.factor + end.bias,
        end.bias,
        end.objective,
        end.gap,
        state.rounds,
        end.gap <= tolerance * end.objective,
    )


def _sides(alpha: jax.Array, t: jax.Array, c: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns where t alpha may rise, and where it may fall."""
    more, less = alpha < c, alpha > 0
    return jnp.where(t > 0, more, less), jnp.where(t > 0, less, more)


class _Measured(NamedTuple):
    factor: jax.Array  # of w = sum alpha t phi(x), and of its scores
    bias: jax.Array
    objective: jax.Array
    gap: jax.Array


def _measured(alpha: jax.Array, f: jax.Array, t: jax.Array, c: jax.Array, bias: bool) -> _Measured:
    """Computes the objective and the gap, (B,) each, at the best of a few points near the dual's.

    With s w in place of w, the gap is that of the scores `s f + b`, and `(s - 1)^2 / 2 |w|^2`.
    """
    square = jnp.maximum((alpha * t * f).sum(1), 0)
    total = (t * alpha).sum(1)

    def at(s: float, b: jax.Array) -> _Measured:
        slack = 1 - t * (s * f + b[:, None])
        gap = jnp.where(slack > 0, (c - alpha) * slack, -alpha * slack).sum(1)
        loss = (c * jnp.maximum(slack, 0)).sum(1)
        # Rounding leaves `sum t alpha` off 0 by a little; the bound pays for it.
        gap = gap + (s - 1) ** 2 / 2 * square + jnp.abs(b * total) * bias
        return _Measured(jnp.full_like(b, s), b, s**2 * square / 2 + loss, gap)

    biases = _biases(alpha, t - f, t, c) if bias else [jnp.zeros_like(square)]
    found = [at(s, s * b) for s in _LONGER for b in biases]
    leaves = [jnp.stack(leaf) for leaf in zip(*found)]
    best = leaves[-1].argmin(0)[None]
    return _Measured(*(jnp.take_along_axis(leaf, best, 0)[0] for leaf in leaves))


def _biases(alpha: jax.Array, v: jax.Array, t: jax.Array, c: jax.Array) -> list[jax.Array]:
    """Returns the middle of those that optimality allows, and the mean over rows at the margin."""
    up, low = _sides(alpha, t, c)
    most = jnp.where(up, v, -jnp.inf).max(1)
    least = jnp.where(low, v, jnp.inf).min(1)
    ends = jnp.where(jnp.isinf(most), least, most), jnp.where(jnp.isinf(least), most, least)
    middle = jnp.where(jnp.isinf(most) & jnp.isinf(least), 0, (ends[0] + ends[1]) / 2)
    free = up & low
    number = free.sum(1)
    mean = jnp.where(free, v, 0).sum(1) / jnp.maximum(number, 1)
    return [middle, jnp.where(number > 0, mean, middle)]


def _chosen(
    alpha: jax.Array, f: jax.Array, t: jax.Array, c: jax.Array, bias: bool, size: int
) -> jax.Array:
    """Returns the rows that violate optimality most, (B, size)."""
    up, low = _sides(alpha, t, c)
    v = t - f
    if not bias:
        violation = jnp.maximum(jnp.where(up, v, -jnp.inf), jnp.where(low, -v, -jnp.inf))
        return jax.lax.top_k(violation, size)[1]
    _, rising = jax.lax.top_k(jnp.where(up, v, -jnp.inf), size // 2)
    _, falling = jax.lax.top_k(jnp.where(low, -v, -jnp.inf), size // 2)
    return jnp.concatenate([rising, falling], 1)


def _pairs(
    kernel: jax.Array,
    alpha: jax.Array,
    v: jax.Array,
    t: jax.Array,
    c: jax.Array,
    diagonal: jax.Array,
    free: jax.Array,
) -> jax.Array:
    """Moves two alphas at a time, so that `sum t alpha` stays; all (B, q), kernel (B, q, q)."""
    batch = jnp.arange(len(alpha))

    def ends(alpha: jax.Array, v: jax.Array) -> tuple[jax.Array, ...]:
        up, low = _sides(alpha, t, c)
        rising = jnp.where(up & free, v, -jnp.inf)
        falling = jnp.where(low & free, v, jnp.inf)
        return rising, falling, rising.max(1) - falling.min(1)

    goal = jnp.maximum(0.1 * ends(alpha, v)[2], 1e-6)

    def step(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        alpha, v, _, count = carry
        rising, falling, violation = ends(alpha, v)
        i = rising.argmax(1)
        k_i, top = kernel[batch, i], rising.max(1)
        d_i = diagonal[batch, i]
        curve = d_i[:, None] + diagonal - 2 * k_i
        curve = jnp.maximum(curve, _LEAST * (d_i[:, None] + diagonal))
        ahead = top[:, None] - falling
        gain = jnp.where(ahead > 0, ahead**2 / curve, -1)
        gain = jnp.where(jnp.isinf(falling), -1, gain)
        j = gain.argmax(1)
        # How far t alpha of i may rise, and that of j fall.
        room_i = jnp.where(t[batch, i] > 0, c[batch, i] - alpha[batch, i], alpha[batch, i])
        room_j = jnp.where(t[batch, j] > 0, alpha[batch, j], c[batch, j] - alpha[batch, j])
        delta = jnp.minimum(ahead[batch, j] / curve[batch, j], jnp.minimum(room_i, room_j))
        delta = jnp.where((violation > goal) & jnp.isfinite(delta), delta, 0)
        # A bound is met exactly: what rounding left would be moved for ever.
        for which, sign, room in ((i, 1.0, room_i), (j, -1.0, room_j)):
            signed = sign * t[batch, which]
            bound = jnp.where(signed > 0, c[batch, which], 0)
            new = jnp.where(delta >= room, bound, alpha[batch, which] + signed * delta)
            alpha = alpha.at[batch, which].set(jnp.where(delta > 0, new, alpha[batch, which]))
        v = v - delta[:, None] * (k_i - kernel[batch, j])
        return alpha, v, violation > goal, count + 1

    most = 4 * alpha.shape[1]
    start = (alpha, v, jnp.ones(len(alpha), bool), jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(lambda s: s[2].any() & (s[3] < most), step, start)[0]


def _singles(
    kernel: jax.Array,
    alpha: jax.Array,
    v: jax.Array,
    t: jax.Array,
    c: jax.Array,
    diagonal: jax.Array,
    free: jax.Array,
) -> jax.Array:
    """Moves one alpha at a time, that with the largest gain; all (B, q), kernel (B, q, q)."""
    batch = jnp.arange(len(alpha))
    curve = jnp.maximum(diagonal, jnp.finfo(diagonal.dtype).tiny)

    def moves(alpha: jax.Array, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        new = jnp.clip(alpha + t * v / curve, 0, c)
        return new, jnp.where(free, jnp.abs((new - alpha) * v), 0)

    goal = 0.01 * moves(alpha, v)[1].max(1)

    def step(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        alpha, v, _, count = carry
        targets, gains = moves(alpha, v)
        i = gains.argmax(1)
        going = gains.max(1) > goal
        new = jnp.where(going, targets[batch, i], alpha[batch, i])
        delta = new - alpha[batch, i]
        alpha = alpha.at[batch, i].set(new)
        v = v - (delta * t[batch, i])[:, None] * kernel[batch, i]
        return alpha, v, going, count + 1

    most = 4 * alpha.shape[1]
    start = (alpha, v, jnp.ones(len(alpha), bool), jnp.zeros((), jnp.int32))
    return jax.lax.while_loop(lambda s: s[2].any() & (s[3] < most), step, start)[0]
