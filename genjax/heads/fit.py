"""What a fitted head is, what it predicts, and what is checked before one is fitted."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core import checks
from genjax.ops.precision import at_least_float32

NEVER = -1e30  # the intercept of a class that no example had: it is never predicted


class LinearHead(NamedTuple):
    """A fitted linear head. Where C was an array (M,), every leaf but `iterations` has that axis.

    Attributes:
      weights: (K, D).
      bias: (K,); -1e30 for a class that no example had.
      objective: of the problem, (), or of each class against the rest, (K,).
      gap: how far the objective is at most above its minimum; shaped like it.
      iterations: (), Newton steps and changes of dual variables, of the slowest problem.
      converged: whether `gap <= tolerance * objective`; shaped like it.
    """

    weights: jax.Array
    bias: jax.Array
    objective: jax.Array
    gap: jax.Array
    iterations: jax.Array
    converged: jax.Array

    def scores(self, x: jax.Array) -> jax.Array:
        """Computes `x w + b` of x (N, D), (…, N, K)."""
        size = self.weights.shape[-1]
        checks.floats("N D", {"D": (size, "weights")}, x=x)
        product = jnp.einsum("nd,...kd->...nk", x, self.weights, precision="highest")
        return product + self.bias[..., None, :]

    def predict(self, x: jax.Array) -> jax.Array:
        """Returns the class of the highest score, (…, N)."""
        return self.scores(x).argmax(-1)

    def probabilities(self, x: jax.Array) -> jax.Array:
        """Computes the softmax of the scores: p(class | x) of a head made by `logistic`."""
        return jax.nn.softmax(self.scores(x), -1)


def require_converged(head: Any) -> Any:
    """Returns the head, fitted outside of `jit`, if it reached its tolerance.

    Raises:
      RuntimeError: it ended at max_iterations, or where rounding let it come no closer.
    """
    if not np.asarray(head.converged).all():
        relative = np.asarray(head.gap) / np.maximum(np.asarray(head.objective), 1e-30)
        raise RuntimeError(
            f"gap: is {relative.max():.1e} of the objective after {int(head.iterations)} "
            "iterations, above the tolerance; allow more, a larger tolerance, or a smaller C"
        )
    return head


class Examples(NamedTuple):
    """Checked arguments of a fit.

    Attributes:
      x: (N, D), in at least float32.
      y: (N, K), one-hot labels.
      c: (M, N), C times the weight of each example.
      present: (K,), 1 for a class of which some example counts.
      alone: whether C was a single number.
    """

    x: jax.Array
    y: jax.Array
    c: jax.Array
    present: jax.Array
    alone: bool


def examples(
    x: jax.Array,
    labels: jax.Array,
    num_classes: int,
    C: Any,
    weight: jax.Array | None,
    tolerance: float,
    max_iterations: int,
) -> Examples:
    """Checks the arguments that all fits share.

    Raises:
      ValueError: what is wrong, in one line.
    """
    sizes = checks.floats("N D", x=x)
    checks.integers("N", sizes, labels=labels)
    checks.whole("num_classes", num_classes, 2)
    checks.indices("labels", labels, num_classes)
    checks.within("x", x, -3e38, 3e38)
    checks.number("tolerance", tolerance, above=0, below=1)
    checks.whole("max_iterations", max_iterations, 1)
    x = at_least_float32(x)
    C = jnp.asarray(C, x.dtype)
    if C.ndim > 1 or not C.size:
        raise ValueError(f"C: must be a number or have shape (M,), not {C.shape}")
    checks.within("C", C, above=0, below=float("inf"))
    alone = not C.ndim
    C = jnp.atleast_1d(C)
    if weight is None:
        weight = jnp.ones((1, x.shape[0]), x.dtype)
    elif weight.ndim == 2 and not alone:
        checks.masks("M N", {**sizes, "M": (len(C), "C")}, weight=weight)
    else:
        checks.masks("N", sizes, weight=weight)
        weight = weight[None]
    checks.within("weight", weight, 0, below=float("inf"))
    y = jax.nn.one_hot(labels, num_classes, dtype=x.dtype)
    weight = jnp.asarray(weight, x.dtype)
    present = ((weight.max(0)[:, None] * y).max(0) > 0).astype(x.dtype)
    return Examples(x, y, C[:, None] * weight, present, alone)
