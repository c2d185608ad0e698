"""Margin losses of classifiers: what support vector machines minimize, beside a norm of weights."""

import jax
import jax.numpy as jnp

from genjax.core import checks
from genjax.ops.precision import at_least_float32


def hinge_loss(scores_BxC: jax.Array, label_B: jax.Array) -> jax.Array:
    """Computes `sum_k max(0, 1 - t_k s_k)`, (B,): t is 1 at the label, -1 at the other classes.

    These are C machines, one class against the rest each. Sources: Cortes and Vapnik 1995
    (Support-vector networks), equation 25; Rifkin and Klautau 2004 (In defense of one-vs-all).

    Args:
      scores_BxC: of C classes.
      label_B: int32, in 0 … C - 1; others raise `ValueError` where they are known, and give NaN
        elsewhere.

    Examples:
      >>> hinge_loss(jnp.array([[2.0, -0.5, -3.0]]), jnp.array([0]))
      Array([0.5], dtype=float32)
    """
    return jnp.maximum(_slack(scores_BxC, label_B), 0).sum(-1)


def squared_hinge_loss(scores_BxC: jax.Array, label_B: jax.Array) -> jax.Array:
    """Computes `sum_k max(0, 1 - t_k s_k)^2`, (B,); see `hinge_loss`.

    Source: Fan et al. 2008 (LIBLINEAR), equation 2, the L2 loss.

    Examples:
      >>> squared_hinge_loss(jnp.array([[2.0, -0.5, -3.0]]), jnp.array([0]))
      Array([0.25], dtype=float32)
    """
    return jnp.square(jnp.maximum(_slack(scores_BxC, label_B), 0)).sum(-1)


def crammer_singer_loss(scores_BxC: jax.Array, label_B: jax.Array) -> jax.Array:
    """Computes `max(0, 1 + max_{k != label} s_k - s_label)`, (B,).

    It is one machine for all classes. Source: Crammer and Singer 2001 (On the algorithmic
    implementation of multiclass kernel-based vector machines), equation 3.

    Args:
      scores_BxC: of C classes.
      label_B: int32, in 0 … C - 1; others raise `ValueError` where they are known, and give NaN
        elsewhere.

    Examples:
      >>> crammer_singer_loss(jnp.array([[2.0, 1.5, -3.0]]), jnp.array([0]))
      Array([0.5], dtype=float32)
    """
    scores_BxC, of_label_BxC = _checked(scores_BxC, label_B)
    return (scores_BxC + ~of_label_BxC).max(-1) - jnp.where(of_label_BxC, scores_BxC, 0).sum(-1)


def _slack(scores_BxC: jax.Array, label_B: jax.Array) -> jax.Array:
    scores_BxC, of_label_BxC = _checked(scores_BxC, label_B)
    return 1 - jnp.where(of_label_BxC, scores_BxC, -scores_BxC)


def _checked(scores_BxC: jax.Array, label_B: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns the scores in at least float32, and where the labels are, boolean (B, C)."""
    checks.integers("B", checks.floats("B C", scores_BxC=scores_BxC), label_B=label_B)
    classes = scores_BxC.shape[1]
    checks.indices("label_B", label_B, classes)
    of_label_BxC = label_B[:, None] == jnp.arange(classes)
    known_Bx1 = of_label_BxC.any(-1, keepdims=True)
    return jnp.where(known_Bx1, at_least_float32(scores_BxC), jnp.nan), of_label_BxC
