"""The state and the update of a family that minimizes one loss over all its parameters."""

from collections.abc import Callable
from typing import Any

import jax
import optax

from genjax.core.family import Batch, Metrics, State, new_state
from genjax.core.gradients import value_and_grad
from genjax.core.optimizer import ema_update


def first_state(
    key: jax.Array, params: Any, optimizer: optax.GradientTransformation, config: Any
) -> State:
    """The state at step 0 of a family whose update is `minimize`."""
    return new_state(
        key,
        params=params,
        opt_state={"optimizer": optimizer.init(params)},
        ema=params if config.ema_decay else {},
    )


def minimize(
    loss: Callable[..., tuple[jax.Array, Metrics]],
    state: State,
    rows: Batch,
    shared: Any,
    optimizer: optax.GradientTransformation,
    settings: Any,
) -> tuple[State, Metrics]:
    """Makes one step: the gradient of `loss` by `state.params`, the update, the moving average.

    Args:
      loss: `loss(params, rows, shared, part) -> (mean, metrics)`; see `genjax.core.family.Family`.
      state: with `opt_state["optimizer"]`, and `ema` like `params` where `ema_decay` is above 0.
      rows: pytree whose leaves have the batch as their first axis; noise included.
      shared: what all parts of the batch have in common.
      optimizer: of the section `optimizer`.
      settings: the family; its `accumulate_steps` and `ema_decay` are followed.

    Returns:
      The state one step on, and the metrics.
    """
    gradient, metrics = gradient_of(loss, state, rows, shared, settings)
    return apply_gradient(gradient, state, optimizer, settings), metrics


def gradient_of(
    loss: Callable[..., tuple[jax.Array, Metrics]],
    state: State,
    rows: Batch,
    shared: Any,
    settings: Any,
) -> tuple[Any, Metrics]:
    """Computes the gradient that `minimize` moves by, and the metrics."""
    (_, metrics), gradient = value_and_grad(
        lambda params, rows, part: loss(params, rows, shared, part),
        state.params,
        rows,
        accumulate_steps=settings.accumulate_steps,
    )
    return gradient, metrics


def apply_gradient(
    gradient: Any, state: State, optimizer: optax.GradientTransformation, settings: Any
) -> State:
    """Moves `state.params` by a gradient, and their moving average; see `minimize`."""
    updates, opt_state = optimizer.update(gradient, state.opt_state["optimizer"], state.params)
    params, ema = optax.apply_updates(state.params, updates), state.ema
    if settings.ema_decay:
        ema = ema_update(ema, params, settings.ema_decay, state.step)
    return state.replace(
        step=state.step + 1, params=params, opt_state={"optimizer": opt_state}, ema=ema
    )
