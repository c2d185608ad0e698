"""Gradients of a mean loss over a batch, in one part or accumulated over several."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from genjax.core import elastic, split
from genjax.core.batch import batch_mean


def value_and_grad(
    loss: Callable[..., tuple[jax.Array, Any]],
    params: Any,
    batch: Any,
    *,
    accumulate_steps: int = 1,
) -> tuple[tuple[jax.Array, Any], Any]:
    """Computes value, auxiliary output and gradient of `loss(params, batch, part) -> (value, aux)`.

    `loss` is a mean over the rows of `batch`. Noise belongs into `batch`, drawn for all rows, so
    that its parts see the same noise as the whole; what is drawn inside, such as dropout, folds
    the int32 number `part` into its key and so differs from the whole batch's draw.

    With `accumulate_steps > 1` the batch is cut into that many equal parts and value, aux and
    gradient are averaged over a scan of them: equal to the whole batch in the memory of one part.
    All three are then averaged over the devices. Under `genjax.core.elastic` they are averaged over
    its shards, which takes the place of parts.

    Args:
      loss: mean loss; `aux` is a pytree of float arrays that are means over rows as well.
      params: what to differentiate by.
      batch: pytree whose leaves have the batch as their first axis.
      accumulate_steps: number of parts; divides the local batch.
    """

    def of_rows(params: Any, batch: Any, part: Any) -> tuple[jax.Array, Any]:
        # Inside of what is differentiated, so that gradients are meant to be whole as well: each
        # device sums over its rows, and what is then scattered are gradients and no activations.
        return loss(split.gathered_params(params), jax.tree.map(split.rows, batch), part)

    grad = jax.value_and_grad(of_rows, has_aux=True)
    if elastic.number():
        shards = elastic.each(lambda rows, i, params: grad(params, rows, i), batch, params)
        value_and_gradient: tuple[tuple[jax.Array, Any], Any] = elastic.mean(shards)
        return value_and_gradient
    if accumulate_steps == 1:
        return batch_mean(grad(params, batch, jnp.zeros((), jnp.int32)))

    # Row j goes to part j % accumulate_steps: on a batch spread over devices, parts stay spread.
    parts = jax.tree.map(
        lambda x: jnp.swapaxes(x.reshape(-1, accumulate_steps, *x.shape[1:]), 0, 1), batch
    )
    zero = jax.tree.map(
        lambda s: jnp.zeros(s.shape, s.dtype),
        jax.eval_shape(grad, params, jax.tree.map(lambda x: x[0], parts), 0),
    )

    def add(total: Any, numbered_part: Any) -> tuple[Any, None]:
        number, part = numbered_part
        return jax.tree.map(jnp.add, total, grad(params, part, number)), None

    total, _ = jax.lax.scan(add, zero, (jnp.arange(accumulate_steps), parts))
    value, gradient = jax.tree.map(lambda x: x / accumulate_steps, total)
    return batch_mean((value, gradient))
