"""Ridge regression, by one Cholesky factor for all outputs and all penalties' common products."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.lapack import one_by_one
from genjax.ops.precision import at_least_float32

_HIGHEST = jax.lax.Precision.HIGHEST


class RidgeHead(NamedTuple):
    """A fitted ridge regression. Where alpha was an array (M,), every leaf has that axis first.

    Attributes:
      weights: (K, D).
      bias: (K,).
      objective: (K,), of each output.
      gap: (K,), how far the objective is at most above its minimum.
      iterations: (), refinements.
      converged: (K,), whether `gap <= tolerance * objective`.
    """

    weights: jax.Array
    bias: jax.Array
    objective: jax.Array
    gap: jax.Array
    iterations: jax.Array
    converged: jax.Array

    def predict(self, x: jax.Array) -> jax.Array:
        """Computes the outputs for x (N, D), (…, N, K)."""
        checks.floats("N D", {"D": (self.weights.shape[-1], "weights")}, x=x)
        product = jnp.einsum("nd,...kd->...nk", x, self.weights, precision="highest")
        return product + self.bias[..., None, :]


def ridge(
    x: jax.Array,
    targets: jax.Array,
    alpha: Any = 1.0,
    *,
    weight: jax.Array | None = None,
    bias: bool = True,
    tolerance: float = 1e-4,
    max_iterations: int = 10,
) -> RidgeHead:
    """Fits `min sum_i weight_i |y_i - w.x_i - b|^2 + alpha |w|^2`, scikit-learn's `Ridge`.

    The Gram matrix, D by D, is computed once for all penalties. What float32 leaves is refined by
    the residual. The objective's curvature is at least 2 alpha: its gap is `|gradient|^2 / (4
    alpha)` once b is at its own minimum for w, where it is kept.

    Args:
      x: (N, D), features.
      targets: (N, K).
      alpha: above 0; a number, or (M,), each a problem of its own.
      weight: (N,), at least 0; None: 1.
      bias: whether there is one; it is not penalized.
      tolerance: of the gap, relative to the objective.
      max_iterations: refinements, at most.

    Raises:
      ValueError: an argument is wrong.
    """
    sizes = checks.floats("N D", x=x)
    checks.floats("N K", sizes, targets=targets)
    checks.number("tolerance", tolerance, above=0, below=1)
    checks.whole("max_iterations", max_iterations, 1)
    x, y = at_least_float32(x), at_least_float32(targets)
    alpha = jnp.asarray(alpha, x.dtype)
    if alpha.ndim > 1 or not alpha.size:
        raise ValueError(f"alpha: must be a number or have shape (M,), not {alpha.shape}")
    checks.within("alpha", alpha, above=0, below=float("inf"))
    if weight is None:
        weight = jnp.ones(len(x), x.dtype)
    checks.masks("N", sizes, weight=weight)
    checks.within("weight", weight, 0, below=float("inf"))
    found = _fit(x, y, jnp.atleast_1d(alpha), jnp.asarray(weight, x.dtype), bias, tolerance,
                 max_iterations)  # fmt: skip
    return found if alpha.ndim else jax.tree.map(lambda leaf: leaf[0] if leaf.ndim else leaf, found)


def _fit(
    x: jax.Array,
    y: jax.Array,
    alpha: jax.Array,
    weight: jax.Array,
    bias: bool,
    tolerance: Any,
    max_iterations: int,
) -> RidgeHead:
    total = jnp.maximum(weight.sum(), jnp.finfo(x.dtype).tiny)
    middle_x = jnp.matmul(weight, x, precision=_HIGHEST) / total * bias
    middle_y = jnp.matmul(weight, y, precision=_HIGHEST) / total * bias
    x, y = x - middle_x, y - middle_y
    weighted = x * weight[:, None]
    gram = jnp.matmul(x.T, weighted, precision=_HIGHEST)
    eye = jnp.eye(len(gram), dtype=x.dtype)
    least = 1e-6 * jnp.trace(gram) / len(gram)  # a factor may be somewhat off: it is refined
    factors = jax.vmap(
        lambda a: one_by_one(jnp.linalg.cholesky)(gram + jnp.maximum(a, least) * eye)
    )(alpha)

    def measured(w: jax.Array) -> tuple[jax.Array, ...]:
        """Computes gradient (M, D, K), objective and gap (M, K) of w (M, D, K)."""
        apart = jnp.einsum("nd,mdk->mnk", x, w, precision="highest") - y
        gradient = 2 * jnp.einsum("nd,mnk->mdk", weighted, apart, precision="highest")
        gradient = gradient + 2 * alpha[:, None, None] * w
        objective = jnp.einsum("n,mnk->mk", weight, apart**2, precision="highest")
        objective = objective + alpha[:, None] * (w**2).sum(1)
        return gradient, objective, (gradient**2).sum(1) / (4 * alpha[:, None])

    def refine(carry: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        w, gradient, _, _, count = carry
        solve = one_by_one(lambda f, g: jax.scipy.linalg.cho_solve((f, True), g))
        step = jax.vmap(solve)(factors, gradient)
        w = w - step / 2
        return w, *measured(w), count + 1

    w = jnp.zeros((len(alpha), x.shape[1], y.shape[1]), x.dtype)
    w, _, objective, gap, count = jax.lax.while_loop(
        lambda c: (c[3] > tolerance * c[2]).any() & (c[4] < max_iterations),
        refine,
        (w, *measured(w), jnp.zeros((), jnp.int32)),
    )
    weights = w.swapaxes(1, 2)
    b = middle_y - jnp.matmul(weights, middle_x, precision=_HIGHEST)
    return RidgeHead(weights, b, objective, gap, count, gap <= tolerance * objective)
