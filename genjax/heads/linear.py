"""Linear heads: support vector machines, multinomial logistic regression, ridge regression.

All minimize `1/2 |w|^2 + C sum_i weight_i loss_i`, as liblinear and scikit-learn state it, on
features in memory. Nothing is scaled or centered: features of very different sizes are for the
caller to scale. Every fit can be jitted (`num_classes` and `loss` are static) and vmapped. An array
of several C is one program as well, which shares products or solutions: prefer it to `vmap`.
"""

from typing import Any

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.heads import newton
from genjax.heads.fit import NEVER, Examples, LinearHead, examples
from genjax.heads.losses import CrammerSinger, Hinge, Softmax, SquaredHinge

LOSSES: dict[str, Any] = {"squared_hinge": SquaredHinge, "hinge": Hinge}


def linear_svm(
    x: jax.Array,
    labels: jax.Array,
    num_classes: int,
    C: Any = 1.0,
    *,
    loss: str = "squared_hinge",
    weight: jax.Array | None = None,
    bias: bool = True,
    tolerance: float = 1e-4,
    max_iterations: int = 200,
) -> LinearHead:
    """Fits a support vector machine for each class against the rest.

    `min 1/2 |w|^2 + C sum_i weight_i loss(t_i w.x_i)`, t_i = 1 for the class and -1 for the rest;
    the bias is the weight of a feature that is always 1, and is penalized, as in liblinear (Fan et
    al. 2008; scikit-learn's `LinearSVC` with `intercept_scaling=1`).

    Args:
      x: (N, D), features.
      labels: (N,), integers in 0 … num_classes - 1. A class without examples is never predicted.
      num_classes: K.
      C: a number, or (M,), each a problem of its own.
      loss: `squared_hinge` or `hinge`.
      weight: (N,), or (M, N) for each C its own, at least 0; None: 1.
      bias: whether there is one.
      tolerance: each problem ends at `gap <= tolerance * objective`.
      max_iterations: Newton steps and changes of dual variables, at most.

    Raises:
      ValueError: an argument is wrong.
    """
    checks.chosen("loss", loss, LOSSES)
    given = examples(x, labels, num_classes, C, weight, tolerance, max_iterations)
    return _against_rest(given, loss, bias, tolerance, max_iterations)


def crammer_singer(
    x: jax.Array,
    labels: jax.Array,
    num_classes: int,
    C: Any = 1.0,
    *,
    weight: jax.Array | None = None,
    bias: bool = True,
    tolerance: float = 1e-4,
    max_iterations: int = 200,
) -> LinearHead:
    """Fits the support vector machine of Crammer and Singer 2001, all classes in one problem.

    `min 1/2 sum_k |w_k|^2 + C sum_i weight_i max over k of (w_k.x_i - w_y.x_i + [k != y_i])`;
    arguments as those of `linear_svm`.
    """
    given = examples(x, labels, num_classes, C, weight, tolerance, max_iterations)
    loss = CrammerSinger(given.y[:, None], given.c.T[..., None], given.present)
    sigma = given.c.max(1)
    return _coupled(given, loss, sigma, bias, True, tolerance, max_iterations)


def logistic(
    x: jax.Array,
    labels: jax.Array,
    num_classes: int,
    C: Any = 1.0,
    *,
    weight: jax.Array | None = None,
    bias: bool = True,
    tolerance: float = 1e-4,
    max_iterations: int = 200,
) -> LinearHead:
    """Fits multinomial logistic regression, `min 1/2 |W|^2 - C sum_i weight_i log softmax(z_i)_y`.

    The bias is not penalized, as in scikit-learn's `LogisticRegression`; arguments as those of
    `linear_svm`.
    """
    given = examples(x, labels, num_classes, C, weight, tolerance, max_iterations)
    y, c = given.y[:, None], given.c.T[..., None]
    sums = None
    if bias:
        ones = _with_one(given.x)
        by_class = jnp.einsum("nd,np,nk->dpk", ones, given.c.T, given.y, precision="highest")
        sums = (by_class.sum(-1, keepdims=True), by_class)
    loss = Softmax(y, c, given.present, sums)
    return _coupled(given, loss, given.c.max(1), bias, False, tolerance, max_iterations)


def _with_one(x: jax.Array) -> jax.Array:
    return jnp.concatenate([x, jnp.ones_like(x[:, :1])], 1)


def _against_rest(
    given: Examples, loss: str, bias: bool, tolerance: float, max_iterations: int
) -> LinearHead:
    """Solves for one C after another, in rising order, each from the solution of the last."""
    x = _with_one(given.x) if bias else given.x
    size, k = x.shape[1], len(given.present)
    t = (2 * given.y - 1)[..., None]
    penalty = jnp.ones(size, x.dtype)

    def problems(c: jax.Array) -> tuple[Any, jax.Array]:
        c = (c[:, None] * given.present)[..., None]  # a class without examples: weights of 0
        return LOSSES[loss](t, c), jnp.maximum(c.max((0, 2)), jnp.finfo(x.dtype).tiny)

    def solved(last: Any, now: Any) -> tuple[Any, tuple[jax.Array, ...]]:
        (point, before), (c, share) = last, now
        begin = point._replace(weights=point.weights + share * (point.weights - before))
        these, sigma = problems(c)
        found = newton.solve(x, these, begin, sigma, penalty, tolerance, max_iterations)
        return (found.point, point.weights), (found.point.weights[..., 0].T, *found[1:])

    order = jnp.argsort(given.c.max(1))
    c = given.c[order]
    first, sigma = problems(c[0])
    start = newton.origin(x, first, (size, k, 1), sigma, penalty)
    _, found = jax.lax.scan(solved, (start, start.weights), (c, _shares(c.max(1))))
    back = jnp.argsort(order)
    weights, objective, gap, iterations, converged = [leaf[back] for leaf in found]
    return _head(given, weights, bias, [objective, gap, converged], iterations.max())


def _shares(C: jax.Array) -> jax.Array:
    """Returns how much of their last change weights go on by, before each C (M,) is solved.

    Weights change about evenly with log C, less and less: 0.7 of an equal step needs the fewest
    Newton steps on Fashion-MNIST. The first change, from weights of 0, says nothing.
    """
    ratios = jnp.diff(jnp.log(jnp.maximum(C, jnp.finfo(C.dtype).tiny)))
    share = jnp.clip(0.7 * ratios[1:] / jnp.maximum(ratios[:-1], 1e-3), 0, 1)
    return jnp.concatenate([jnp.zeros(min(len(C), 2), C.dtype), share])


def _coupled(
    given: Examples,
    loss: Any,
    sigma: jax.Array,
    bias: bool,
    penalized: bool,
    tolerance: float,
    max_iterations: int,
) -> LinearHead:
    x = _with_one(given.x) if bias else given.x
    size, k, m = x.shape[1], len(given.present), len(given.c)
    penalty = jnp.ones(size, x.dtype)
    if bias and not penalized:
        penalty = penalty.at[-1].set(0)
    start = newton.origin(x, loss, (size, m, k), sigma, penalty)
    found = newton.solve(x, loss, start, sigma, penalty, tolerance, max_iterations)
    weights = found.point.weights.transpose(1, 2, 0)
    leaves = [found.objective, found.gap, found.converged]
    return _head(given, weights, bias, leaves, found.iterations)


def _head(
    given: Examples, weights: jax.Array, bias: bool, leaves: list[jax.Array], iterations: jax.Array
) -> LinearHead:
    size = given.x.shape[1]
    b = weights[..., -1] if bias else jnp.zeros(weights.shape[:-1], weights.dtype)
    b = jnp.where(given.present > 0, b, NEVER)
    objective, gap, converged = leaves
    head = LinearHead(weights[..., :size], b, objective, gap, iterations, converged)
    if not given.alone:
        return head
    first = jax.tree.map(lambda leaf: leaf[0] if leaf.ndim else leaf, head)
    return LinearHead(*first)
