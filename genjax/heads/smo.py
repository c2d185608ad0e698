"""The dual of C-SVC on a kernel matrix, many problems at once, with a duality gap.

A problem takes n rows of the kernel matrix, with signs t, and solves (Cortes and Vapnik 1995)

    max over alpha of  sum alpha - 1/2 sum_ij alpha_i t_i K_ij t_j alpha_j,   0 <= alpha_i <= c_i

and with a bias `sum_i t_i alpha_i = 0`, as LIBSVM has it (Chang and Lin 2011, equation 2), by
sequential minimal optimization with second-order pairs (Fan, Chen and Lin 2005, working set
selection 2), a step of all problems at once. Of problems with many rows, each round takes those
that violate the optimality conditions most (Joachims 1999, "Making large-scale SVM learning
practical", section 3) and then moves all scores by one product (Wen et al. 2018, "ThunderSVM").
With `w = sum alpha_i t_i phi(x_i)` and scores f, the primal objective lies above the dual one by

    gap = sum_i [c_i max(0, 1 - t_i (f_i + b)) - alpha_i (1 - t_i (f_i + b))]

whose terms are all at least 0. Where C is large, rounding of margins that should be 1 makes most of
the gap: w and b a little longer have a smaller objective, and are taken.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

_HIGHEST = jax.lax.Precision.HIGHEST
_LEAST = 1e-6  # of the squared distance of two rows, relative to their norms
_ENOUGH = 0.7  # of the tolerance: the scores are summed up anew at the end, which rounds otherwise
_MOST = 2**28  # numbers of all problems' own kernel matrices
_RUNS = 3  # times that rounds go on after scores were summed up anew
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
      alpha: (B, n).
      coefficients: (N, B), of every row of the kernel matrix in w: `t alpha`, up to a factor.
      scores: (N, B), `K @ coefficients + bias`.
      bias: (B,).
      objective: (B,), of the primal problem.
      gap: (B,), how far the objective is at most above its minimum.
      iterations: (), rounds.
      converged: (B,).
    """

    alpha: jax.Array
    coefficients: jax.Array
    scores: jax.Array
    bias: jax.Array
    objective: jax.Array
    gap: jax.Array
    iterations: jax.Array
    converged: jax.Array


_Reader = Callable[[jax.Array], jax.Array]  # from a row of each problem, (B,), to its kernel (q, B)


def blocks(kernel: jax.Array, rows: jax.Array) -> jax.Array | None:
    """Gathers each problem's own kernel matrix, (B, n, n); None where that is too much memory.

    A step reads two rows of it. They are rows of memory here, and scattered in the whole matrix.
    """
    b, n = rows.shape
    if b * n * n > _MOST:
        return None
    return jnp.asarray(jax.lax.map(lambda r: kernel[r[:, None], r], rows))


def _reader(kernel: jax.Array, rows: jax.Array, own: jax.Array | None) -> _Reader:
    batch = jnp.arange(len(rows))
    if own is not None:
        return lambda i: _at(own, batch, i).T
    return lambda i: _at(kernel, _at(rows, batch, i), rows.T)


class _State(NamedTuple):
    alpha: jax.Array
    f: jax.Array
    rounds: jax.Array
    done: jax.Array
    runs: jax.Array


@functools.partial(jax.jit, static_argnames=("bias", "block"))
def solve(
    kernel: jax.Array,
    problems: Problems,
    start: jax.Array,
    own: jax.Array | None,
    tolerance: Any,
    max_iterations: Any,
    bias: bool = True,
    block: int = 2048,
) -> Duals:
    """Solves all problems until `gap <= tolerance * objective`.

    Args:
      kernel: (N, N).
      problems: of its rows.
      start: (B, n), where alpha starts; feasible.
      own: see `blocks`.
      tolerance: of the gap, relative to the objective.
      max_iterations: rounds, at most.
      bias: whether there is one.
      block: rows that a round solves, at most.
    """
    rows, t, c = problems
    n = rows.shape[1]
    size = n if n <= block or own is not None else block // 2 * 2
    minimize = _pairs if bias else _singles
    diagonal = jnp.diagonal(kernel)

    def fresh(alpha: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Computes coefficients (B, N), scores (N, B) and those of the problems' rows."""
        zeros = jnp.zeros((len(rows), len(kernel)), kernel.dtype)
        each = jax.vmap(lambda z, r, v: z.at[r].add(v))(zeros, rows, t * alpha)
        scores = jnp.matmul(kernel, each.T, precision=_HIGHEST)
        return each, scores, jnp.take_along_axis(scores.T, rows, 1)

    def update(state: _State) -> _State:
        alpha, f = state.alpha, state.f
        now = _measured(alpha, f, t, c, bias)
        done = now.gap <= _ENOUGH * tolerance * now.objective
        going = jnp.logical_not(done)[:, None]
        if size == n:  # all rows at once: every score is kept by the way
            free = jnp.broadcast_to(going, alpha.shape)
            values = _transposed(alpha, t - f, t, c, diagonal[rows], free)
            moved, v = minimize(_reader(kernel, rows, own), *values)
            return _State(moved.T, t - v.T, state.rounds + 1, done, state.runs)
        chosen, free = _chosen(alpha, f, t, c, bias, size)  # (B, size)
        mine, free = jnp.take_along_axis(rows, chosen, 1), free & going
        at = [jnp.take_along_axis(v, chosen, 1) for v in (alpha, t - f, t, c)]
        values = _transposed(*at, diagonal[mine], free)
        moved = minimize(_reader(kernel, mine, None), *values)[0].T
        change = jnp.where(free, at[2] * (moved - at[0]), 0)

        def product(one: tuple[jax.Array, ...]) -> jax.Array:
            r, moving, step = one
            return jnp.matmul(kernel[r[:, None], moving], step, precision=_HIGHEST)

        f = f + jax.lax.map(product, (rows, mine, change))
        places = jnp.where(free, chosen, n)  # what is not free is not written
        alpha = jax.vmap(lambda a, i, m: a.at[i].set(m, mode="drop"))(alpha, places, moved)
        return _State(alpha, f, state.rounds + 1, done, state.runs)

    def run(state: _State) -> _State:
        state = jax.lax.while_loop(
            lambda s: jnp.logical_not(s.done.all()) & (s.rounds < max_iterations), update, state
        )
        f = fresh(state.alpha)[2]  # sums of changes round otherwise
        now = _measured(state.alpha, f, t, c, bias)
        return state._replace(f=f, done=now.gap <= tolerance * now.objective, runs=state.runs + 1)

    zero = jnp.zeros((), jnp.int32)
    state = jax.lax.while_loop(
        lambda s: jnp.logical_not(s.done.all()) & (s.rounds < max_iterations) & (s.runs < _RUNS),
        run,
        _State(start, fresh(start)[2], zero, jnp.zeros(len(rows), bool), zero),
    )
    coefficients, scores, f = fresh(state.alpha)
    end = _measured(state.alpha, f, t, c, bias)
    return Duals(
        state.alpha,
        coefficients.T * end.factor,
        scores * end.factor + end.bias,
        end.bias,
        end.objective,
        end.gap,
        state.rounds,
        end.gap <= tolerance * end.objective,
    )


def _transposed(*arrays: jax.Array) -> tuple[jax.Array, ...]:
    """Puts problems last: the largest of each is then found for all of them side by side."""
    return tuple(array.T for array in arrays)


def _at(x: jax.Array, *places: jax.Array) -> jax.Array:
    """Returns `x[places]`, which are known to be inside: nothing is checked or wrapped."""
    return x.at[places].get(mode="promise_in_bounds", wrap_negative_indices=False)


def _first_largest(x: jax.Array, top: jax.Array) -> jax.Array:
    """Returns where x (q, B) is `top` first; XLA's argmax is a scalar loop on CPU."""
    places = jnp.arange(len(x))[:, None]
    return jnp.minimum(jnp.where(x >= top, places, len(x)).min(0), len(x) - 1)


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
) -> tuple[jax.Array, jax.Array]:
    """Returns the rows that violate optimality most, (B, size), and which of them may move."""
    up, low = _sides(alpha, t, c)
    v = t - f
    rise, fall = jnp.where(up, v, -jnp.inf), jnp.where(low, -v, -jnp.inf)
    if not bias:
        chosen = jax.lax.top_k(jnp.maximum(rise, fall), size)[1]
        return chosen, jnp.ones(chosen.shape, bool)
    first, second = (jax.lax.top_k(x, size // 2)[1] for x in (rise, fall))
    twice = (second[:, :, None] == first[:, None, :]).any(2)  # chosen from both ends: there once
    free = jnp.concatenate([jnp.ones(first.shape, bool), jnp.logical_not(twice)], 1)
    return jnp.concatenate([first, second], 1), free


def _pairs(
    read: _Reader,
    alpha: jax.Array,
    v: jax.Array,
    t: jax.Array,
    c: jax.Array,
    diagonal: jax.Array,
    free: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Moves two alphas at a time, so that `sum t alpha` stays; all (q, B).

    Returns:
      alpha, and v = t - f.
    """
    batch, places = jnp.arange(alpha.shape[1]), jnp.arange(len(alpha))[:, None]
    fixed = jnp.stack([t, c, diagonal], -1)

    def ends(alpha: jax.Array, v: jax.Array) -> tuple[jax.Array, ...]:
        up, low = _sides(alpha, t, c)
        rising = jnp.where(up & free, v, -jnp.inf)
        falling = jnp.where(low & free, v, jnp.inf)
        top = rising.max(0)
        return rising, falling, top, top - falling.min(0)

    goal = jnp.maximum(0.1 * ends(alpha, v)[3], 1e-6)

    def step(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        alpha, v, _, count = carry
        rising, falling, top, violation = ends(alpha, v)
        i = _first_largest(rising, top)
        k_i, d_i = read(i), _at(diagonal, i, batch)
        curve = jnp.maximum(d_i + diagonal - 2 * k_i, _LEAST * (d_i + diagonal))
        ahead = top - falling
        gain = jnp.where(jnp.isfinite(ahead) & (ahead > 0), ahead**2 / curve, -1)
        best = gain.max(0)
        j = _first_largest(gain, best)
        k_j = read(j)
        both_2xB = jnp.stack([i, j])
        (a_i, a_j), (v_i, v_j) = _at(alpha, both_2xB, batch), _at(v, both_2xB, batch)
        (t_i, c_i, _), (t_j, c_j, d_j) = _at(fixed, both_2xB, batch).transpose(0, 2, 1)
        curve_j = jnp.maximum(d_i + d_j - 2 * _at(k_i, j, batch), _LEAST * (d_i + d_j))
        # How far t alpha of i may rise, and that of j fall.
        room_i = jnp.where(t_i > 0, c_i - a_i, a_i)
        room_j = jnp.where(t_j > 0, a_j, c_j - a_j)
        delta = jnp.minimum((v_i - v_j) / curve_j, jnp.minimum(room_i, room_j))
        delta = jnp.where((violation > goal) & (best > 0), delta, 0)
        # A bound is met exactly: what rounding left would be moved for ever.
        rise = jnp.where(delta >= room_i, jnp.where(t_i > 0, c_i, 0), a_i + t_i * delta)
        fall = jnp.where(delta >= room_j, jnp.where(t_j > 0, 0, c_j), a_j - t_j * delta)
        stays = delta <= 0
        # By comparing places: XLA's scatter is slow on CPU.
        alpha = jnp.where(places == jnp.where(stays, -1, i), rise, alpha)
        alpha = jnp.where(places == jnp.where(stays, -1, j), fall, alpha)
        return alpha, v - delta * (k_i - k_j), violation > goal, count + 1

    return _until(step, alpha, v)


def _singles(
    read: _Reader,
    alpha: jax.Array,
    v: jax.Array,
    t: jax.Array,
    c: jax.Array,
    diagonal: jax.Array,
    free: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Moves one alpha at a time, that with the largest gain; as `_pairs`."""
    batch = jnp.arange(alpha.shape[1])
    curve = jnp.maximum(diagonal, jnp.finfo(diagonal.dtype).tiny)

    def moves(alpha: jax.Array, v: jax.Array) -> tuple[jax.Array, jax.Array]:
        new = jnp.clip(alpha + t * v / curve, 0, c)
        return new, jnp.where(free, jnp.abs((new - alpha) * v), 0)

    goal = 0.01 * moves(alpha, v)[1].max(0)

    def step(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        alpha, v, _, count = carry
        targets, gains = moves(alpha, v)
        top = gains.max(0)
        i = _first_largest(gains, top)
        old = alpha[i, batch]
        new = jnp.where(top > goal, targets[i, batch], old)
        v = v - (new - old) * t[i, batch] * read(i)
        return alpha.at[i, batch].set(new), v, top > goal, count + 1

    return _until(step, alpha, v)


def _until(step: Any, alpha: jax.Array, v: jax.Array) -> tuple[jax.Array, jax.Array]:
    most = 4 * len(alpha)
    start = (alpha, v, jnp.ones(alpha.shape[1], bool), jnp.zeros((), jnp.int32))
    found = jax.lax.while_loop(lambda s: s[2].any() & (s[3] < most), step, start)
    return found[0], found[1]
