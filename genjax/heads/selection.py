"""Choosing C and the kernel by examples that are held out of the training set.

Test data has no place here: what is given are training examples, of which some are held out.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core import checks
from genjax.heads.fit import LinearHead
from genjax.heads.kernel import KernelHead, kernel_svm
from genjax.heads.kernels import Kernel
from genjax.heads.linear import linear_svm
from genjax.ops.precision import at_least_float32


class Grid(NamedTuple):
    """How the candidates did: M values of C, after G kernels where kernels were given.

    Attributes:
      accuracy: (M,) or (G, M), of held-out examples, by weight; the mean over the folds.
      gap: (M,) or (G, M), the largest of `gap / objective` in any fold or problem.
      converged: (M,) or (G, M), whether all problems of all folds reached the tolerance.
    """

    accuracy: jax.Array
    gap: jax.Array
    converged: jax.Array


class Selection(NamedTuple):
    """What was chosen.

    Attributes:
      head: fitted to all examples with the chosen values.
      C: the chosen value.
      kernel: the chosen kernel; None: the head is linear.
      grid: how all candidates did.
    """

    head: LinearHead | KernelHead
    C: jax.Array
    kernel: Kernel | None
    grid: Grid


def folds(key: jax.Array, labels: jax.Array, num_classes: int, number: int) -> jax.Array:
    """Draws folds with about the same share of every class; (N,), in 0 … number - 1."""
    checks.key("key", key)
    checks.integers("N", labels=labels)
    checks.whole("num_classes", num_classes, 1)
    checks.indices("labels", labels, num_classes)
    checks.whole("number", number, 2, len(labels))
    mixed = jax.random.permutation(key, len(labels))
    order = mixed[jnp.argsort(labels[mixed], stable=True)]
    # Dealt out in turn, class after class, the folds differ by one example at most.
    return jnp.zeros(len(labels), jnp.int32).at[order].set(jnp.arange(len(labels)) % number)


def grid(
    x: jax.Array,
    labels: jax.Array,
    num_classes: int,
    C: jax.Array,
    fold: jax.Array,
    *,
    kernel: Kernel | None = None,
    fit: Callable[..., LinearHead] = linear_svm,
    weight: jax.Array | None = None,
    held_out: int = 1,
    **options: Any,
) -> Grid:
    """Fits every candidate without a fold, and scores it on that fold; in one program.

    Values of C share the solutions of smaller ones, or the products with the features, or the
    kernel matrix, which is computed once for each kernel.

    Args:
      x: (N, D), features of training examples.
      labels: (N,), integers in 0 … num_classes - 1.
      num_classes: K.
      C: (M,), candidates.
      fold: (N,), of each example; see `folds`.
      kernel: its leaves have a first axis (G,) of candidates: `RBF(jnp.array([0.01, 0.1]))`; fitted
        by `kernel_svm`. None: linear.
      fit: of linear heads: `linear_svm`, `crammer_singer` or `logistic`.
      weight: (N,); None: 1.
      held_out: how many folds are held out, one after the other: 1 is a single split, the number of
        folds is cross-validation.
      **options: of the fit.

    Raises:
      ValueError: an argument is wrong.
    """
    sizes = checks.floats("N D", x=x)
    x = at_least_float32(x)
    checks.integers("N", sizes, fold=fold)
    checks.floats("M", C=C)
    checks.whole("held_out", held_out, 1)
    if checks.is_known(fold) and (empty := {*range(held_out)} - {*np.unique(fold).tolist()}):
        raise ValueError(f"held_out={held_out}: no row of `fold` is in fold {min(empty)}")
    if weight is not None:
        checks.masks("N", sizes, weight=weight)
    ones = jnp.ones(len(x), x.dtype) if weight is None else jnp.asarray(weight, x.dtype)

    def scored(number: jax.Array, kernel: Kernel | None) -> Grid:
        out = fold == number
        kept = jnp.where(out, 0, ones)
        if kernel is None:
            head: Any = fit(x, labels, num_classes, C, weight=kept, **options)
            predicted = head.predict(x)
        else:
            head = kernel_svm(x, labels, num_classes, kernel, C, weight=kept, **options)
            predicted = head.choose(head.fitted.swapaxes(-1, -2))
        judged = jnp.where(out, ones, 0)
        right = ((predicted == labels) * judged).sum(-1) / jnp.maximum(judged.sum(), 1e-30)
        tiny = jnp.finfo(x.dtype).tiny
        gap = head.gap / jnp.maximum(head.objective, tiny)
        flat = [leaf.reshape(len(C), -1) for leaf in (gap, head.converged)]
        return Grid(right, flat[0].max(1), flat[1].all(1))

    def over_folds(kernel: Kernel | None) -> Grid:
        each = jax.lax.map(lambda number: scored(number, kernel), jnp.arange(held_out))
        return Grid(each.accuracy.mean(0), each.gap.max(0), each.converged.all(0))

    return over_folds(None) if kernel is None else jax.lax.map(over_folds, kernel)


def select(
    key: jax.Array,
    x: jax.Array,
    labels: jax.Array,
    num_classes: int,
    C: jax.Array,
    *,
    kernel: Kernel | None = None,
    fit: Callable[..., LinearHead] = linear_svm,
    weight: jax.Array | None = None,
    number: int = 5,
    held_out: int = 1,
    **options: Any,
) -> Selection:
    """Chooses C, and a kernel, on held-out training examples, and fits all examples with them.

    Of equal candidates the first is chosen: give C in rising order, for the smallest. `number` is
    how many stratified folds are drawn by the key; other arguments as those of `grid`.
    """
    fold = folds(key, labels, num_classes, number)
    checks.whole("held_out", held_out, 1, number)
    found = grid(
        x, labels, num_classes, C, fold,
        kernel=kernel, fit=fit, weight=weight, held_out=held_out, **options,
    )  # fmt: skip
    best = found.accuracy.reshape(-1).argmax()
    chosen = jnp.asarray(C)[best % len(C)]
    if kernel is None:
        head: Any = fit(x, labels, num_classes, chosen, weight=weight, **options)
        return Selection(head, chosen, None, found)
    one = jax.tree.map(lambda leaf: leaf[best // len(C)], kernel)
    head = kernel_svm(x, labels, num_classes, one, chosen, weight=weight, **options)
    return Selection(head, chosen, one, found)
