"""Support vector machines on exact kernels, for sets whose kernel matrix fits into memory."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core import checks
from genjax.heads import smo
from genjax.heads.fit import NEVER, Examples, examples
from genjax.heads.kernels import Kernel
from genjax.ops.precision import at_least_float32

SCHEMES = ("one_vs_one", "one_vs_rest")


class KernelHead(NamedTuple):
    """A fitted kernel machine of B binary problems. Where C was an array (M,), M is the first axis.

    Attributes:
      kernel: of the head.
      x: (N, D), all rows that it was fitted to, without the axis of C.
      coefficients: (B, N), of the rows in w.
      bias: (B,).
      pairs: (B, 2), the classes whose side is 1 and -1; None: class b against the rest.
      present: (K,), 0 for a class that no example had: it is never predicted.
      objective: (B,), of the primal problem.
      gap: (B,), how far the objective is at most above its minimum.
      iterations: (), rounds of the slowest problem.
      converged: (B,), whether `gap <= tolerance * objective`.
      fitted: (B, N), the scores of the rows themselves.
    """

    kernel: Kernel
    x: jax.Array
    coefficients: jax.Array
    bias: jax.Array
    pairs: jax.Array | None
    present: jax.Array
    objective: jax.Array
    gap: jax.Array
    iterations: jax.Array
    converged: jax.Array
    fitted: jax.Array

    def scores(self, x: jax.Array) -> jax.Array:
        """Computes the scores of all binary problems for x (N, D), (…, N, B)."""
        checks.floats("N D", {"D": (self.x.shape[1], "x of the head")}, x=x)
        near = self.kernel(at_least_float32(x), self.x)
        product = jnp.einsum("nm,...bm->...nb", near, self.coefficients, precision="highest")
        return product + self.bias[..., None, :]

    def predict(self, x: jax.Array) -> jax.Array:
        """Returns the class with most pairs won, as LIBSVM, or of the highest score; (…, N)."""
        return self.choose(self.scores(x))

    def choose(self, scores: jax.Array) -> jax.Array:
        """Returns the classes that scores (…, N, B) speak for, (…, N); of equals the first."""
        if self.pairs is None:
            return jnp.where(self.present > 0, scores, NEVER).argmax(-1)
        k = len(self.present)
        winners = jnp.where(scores > 0, self.pairs[:, 0], self.pairs[:, 1])
        both = self.present[self.pairs].min(-1)  # a pair with an absent class has no vote
        votes = (jax.nn.one_hot(winners, k) * both[:, None]).sum(-2)
        # Alone, a class wins without a pair.
        return jnp.where(self.present > 0, votes, -1).argmax(-1)


def kernel_svm(
    x: jax.Array,
    labels: jax.Array,
    num_classes: int,
    kernel: Kernel,
    C: Any = 1.0,
    *,
    scheme: str = "one_vs_one",
    weight: jax.Array | None = None,
    bias: bool = True,
    tolerance: float = 1e-4,
    max_iterations: int = 1000,
    class_size: int | None = None,
) -> KernelHead:
    """Fits LIBSVM's C-SVC (Chang and Lin 2011), by its dual, on the exact kernel.

    `min 1/2 |w|^2 + C sum_i weight_i max(0, 1 - t_i (w.phi(x_i) + b))` for every pair of classes
    (scikit-learn's `SVC`), or each class against the rest. It keeps the kernel matrix, N^2
    numbers, and up to 1 GiB of the problems' own parts of it.

    Args:
      x: (N, D), features.
      labels: (N,), integers in 0 … num_classes - 1.
      num_classes: K.
      kernel: `heads.RBF(gamma)`, `heads.Linear()` or `heads.Polynomial(gamma, degree, offset)`.
      C: a number, or (M,), each a problem of its own on one kernel matrix.
      scheme: `one_vs_one` or `one_vs_rest`.
      weight: (N,), or (M, N) for each C its own, at least 0; None: 1.
      bias: whether there is one; it is not penalized.
      tolerance: each problem ends at `gap <= tolerance * objective`.
      max_iterations: rounds, at most.
      class_size: rows of the largest class, for `one_vs_one` inside of `jit`, where labels are not
        known; without it, every pair then takes all rows, which is slower.

    Raises:
      ValueError: an argument is wrong.
    """
    checks.chosen("scheme", scheme, SCHEMES)
    given = examples(x, labels, num_classes, C, weight, tolerance, max_iterations)
    C = jnp.atleast_1d(jnp.asarray(C, given.x.dtype))
    if class_size is None:
        known = checks.is_known(labels)
        counts = np.bincount(np.asarray(labels), minlength=num_classes) if known else [len(x)]
        class_size = max(int(max(counts)), 1)
    checks.whole("class_size", class_size, 1, len(x))
    if checks.is_known(labels):
        most = int(np.bincount(np.asarray(labels), minlength=1).max())
        checks.whole("class_size", class_size, most, len(x))  # or rows would be left out
    matrix = kernel(given.x, given.x)
    if scheme == "one_vs_one":
        rows, t, c, pairs = _pairs(given, labels, class_size)
    else:
        (rows, t, c), pairs = _rest(given), None
    # One C after the other: each begins at the last one's alpha, made longer as C is. Weights that
    # differ from C to C would take `sum t alpha` off 0.
    longer = jnp.concatenate([jnp.zeros_like(C[:1]), C[1:] / C[:-1]])
    if weight is not None and weight.ndim == 2:
        longer = jnp.zeros_like(longer)

    found = _path(matrix, rows, t, c, longer, tolerance, max_iterations, bias)

    def of(leaf: jax.Array) -> jax.Array:
        return leaf[0] if given.alone else leaf

    return KernelHead(
        kernel,
        given.x,
        of(found.coefficients.swapaxes(1, 2)),
        of(found.bias),
        pairs,
        given.present,
        of(found.objective),
        of(found.gap),
        found.iterations.max(),
        of(found.converged),
        of(found.scores.swapaxes(1, 2)),
    )


@functools.partial(jax.jit, static_argnames="bias")
def _path(
    matrix: jax.Array,
    rows: jax.Array,
    t: jax.Array,
    c: jax.Array,
    longer: jax.Array,
    tolerance: Any,
    max_iterations: Any,
    bias: bool,
) -> smo.Duals:
    """Solves the problems for each c (M, B, n) in turn; every leaf of the result has M first."""

    own = smo.blocks(matrix, rows)

    def one(alpha: jax.Array, given: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, smo.Duals]:
        c, factor = given
        start = jnp.clip(alpha * factor, 0, c)
        problems = smo.Problems(rows, t, c)
        found = smo.solve(matrix, problems, start, own, tolerance, max_iterations, bias)
        return found.alpha, found

    return jax.lax.scan(one, jnp.zeros_like(t), (c, longer))[1]


def _rest(given: Examples) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Makes the problems of each class against the rest: all rows, their sides, and c (M, B, n)."""
    n, k = len(given.x), len(given.present)
    rows = jnp.broadcast_to(jnp.arange(n), (k, n))
    return rows, 2 * given.y.T - 1, given.c[:, None] * given.present[:, None]


def _pairs(
    given: Examples, labels: jax.Array, class_size: int
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Makes the problems of two classes: the rows of both, their sides, c (M, B, n), and pairs."""
    order = jnp.argsort(labels, stable=True)
    counts = (given.y > 0).sum(0)
    places = jnp.arange(class_size)
    begins = jnp.cumsum(counts) - counts
    rows_KxS = order[jnp.clip(begins[:, None] + places, 0, len(order) - 1)]
    there_KxS = places < counts[:, None]
    first, second = np.triu_indices(len(given.present), 1)
    rows = jnp.concatenate([rows_KxS[first], rows_KxS[second]], 1)
    there = jnp.concatenate([there_KxS[first], there_KxS[second]], 1)
    side = jnp.repeat(jnp.array([1, -1], given.x.dtype), class_size)
    t = jnp.broadcast_to(side, rows.shape)
    return rows, t, given.c[:, rows] * there, jnp.stack([first, second], 1)
