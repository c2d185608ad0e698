"""Gradients of several tasks, projected so that none goes against another: PCGrad.

Source: Yu et al. 2020, "Gradient surgery for multi-task learning", algorithm 1.
"""

from typing import Any

import jax
import jax.numpy as jnp

_TINY = 1e-30  # a squared norm below counts as none


def inner_products(gradients: Any) -> jax.Array:
    """Computes g_i . g_j, (T, T), of trees whose leaves have the task as their first axis."""

    def of_leaf(g: jax.Array) -> jax.Array:
        g_TxP = g.reshape(len(g), -1)
        return jnp.matmul(g_TxP, g_TxP.T, precision="highest")

    return jnp.sum(jnp.stack(jax.tree.leaves(jax.tree.map(of_leaf, gradients))), 0)


def projection_weights(products_TxT: jax.Array, order_TxT: jax.Array) -> jax.Array:
    """Computes weights w, (T,), so that sum_k w_k g_k is the sum of the projected gradients.

    For each task i, g_i^PC = g_i at first; then for each other task j, in the order of task i,

        g_i^PC <- g_i^PC - (g_i^PC . g_j / g_j . g_j) g_j    where g_i^PC . g_j < 0.

    Each g_i^PC is a weighted sum of the gradients, so that their inner products are all it takes.

    Args:
      products_TxT: of the gradients.
      order_TxT: in row i the order in which task i meets all tasks; itself is passed over.
    """
    number_T = jnp.arange(len(products_TxT))

    def project(i: jax.Array, order_T: jax.Array) -> jax.Array:
        def meet(weight_T: jax.Array, j: jax.Array) -> tuple[jax.Array, None]:
            product = (weight_T * products_TxT[:, j]).sum()
            part = product / jnp.maximum(products_TxT[j, j], _TINY)
            conflicts = (product < 0) & (i != j)
            return weight_T - jnp.where(conflicts, part, 0.0) * (number_T == j), None

        weight_T, _ = jax.lax.scan(meet, (number_T == i).astype(products_TxT.dtype), order_T)
        return weight_T

    return jax.vmap(project)(number_T, order_TxT).sum(0)


def draw_orders(key: jax.Array, num_tasks: int) -> jax.Array:
    """Draws in which order each task meets all tasks, int32 (T, T)."""
    keys = jax.random.split(key, num_tasks)
    return jax.vmap(lambda k: jax.random.permutation(k, num_tasks))(keys)


def conflicts(products_TxT: jax.Array) -> jax.Array:
    """Computes the share of pairs of tasks whose gradients point apart; 0 of a single task."""
    pairs = max(1, len(products_TxT) * (len(products_TxT) - 1))
    return (products_TxT < 0).sum() / pairs
