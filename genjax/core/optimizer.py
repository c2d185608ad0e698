"""Optimizers, schedules and moving averages, once for all families."""

import operator
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from genjax.core import groups

INJECTED = ("learning_rate", "b1", "b2", "weight_decay")
_VECTORS = ("bias", "scale", "shift")


def make_optimizer(
    o: ConfigDict,
    total_steps: int,
    factors: Mapping[str, float] = MappingProxyType({}),
    *,
    section: str = "optimizer",
    within: str = "",
    others: tuple[str, ...] = (),
) -> optax.GradientTransformation:
    """The optax optimizer of a config section (`genjax.core.config.optimizer`).

    Its numbers (`INJECTED`; `weight_decay` takes effect where above 0 in the section) are injected,
    that is, arrays in `opt_state.hyperparams`, so that members of a population can differ in them.
    The schedule multiplies the learning rate by a factor of at most 1.

    Args:
      o: the section.
      total_steps: where the schedule ends, in updates of this optimizer.
      factors: of the learning rate, by pattern, as `o.groups` has them, which come after these;
        at 0 parameters stay as they are, and only those of `o.groups` have no state.
      section, within, others: see `genjax.core.groups.Groups`.
    """
    by_path = groups.read(o, factors, section, within, others)
    frozen = groups.read(o, {}, section, within, others)

    def trainable(tree: Any) -> Any:
        return jax.tree.map(operator.not_, groups.frozen(frozen, tree))

    def chain(learning_rate: Any, b1: Any, b2: Any, weight_decay: Any) -> Any:
        parts = []
        if o.clip_norm:
            parts.append(optax.clip_by_global_norm(o.clip_norm))
        if o.name in ("adam", "adamw"):
            parts.append(optax.scale_by_adam(b1=b1, b2=b2, eps=o.eps))
        elif o.name == "rmsprop":
            # Under the root, as optax has it by default, 1e-8 would act like 1e-4 and hold back the
            # small gradients of clipped critics.
            parts.append(optax.scale_by_rms(decay=b2, eps=o.eps, eps_in_sqrt=False))
        if o.name in ("rmsprop", "sgd") and o.b1:
            parts.append(optax.trace(decay=b1))
        if o.weight_decay:
            parts.append(optax.add_decayed_weights(weight_decay, mask=decay_mask))
        if o.schedule != "constant" or o.warmup_steps:
            parts.append(optax.scale_by_schedule(schedule(o, total_steps)))
        parts.append(optax.scale_by_learning_rate(learning_rate))
        if frozen.freezes:  # their gradients count for no norm, and they have no moments
            parts = [optax.masked(optax.chain(*parts), trainable)]
        if by_path:
            parts.append(groups.scaled(by_path))
        return optax.chain(*parts)

    numbers = {n: jnp.asarray(o[n], jnp.float32) for n in INJECTED}
    return optax.inject_hyperparams(chain)(**numbers)


def schedule(o: ConfigDict, total_steps: int) -> optax.Schedule:
    """Linear warm-up over `warmup_steps`, then constant, or linear or cosine to `end_factor`.

    Or `inverse_sqrt`: as the inverse square root of the step's number, counted from 1, without an
    end. Source: Vaswani et al. 2017 (Attention is all you need), equation 3.
    """
    rest = max(1, total_steps - o.warmup_steps)
    if o.schedule == "linear":
        decay = optax.linear_schedule(1.0, o.end_factor, rest)
    elif o.schedule == "cosine":
        decay = optax.cosine_decay_schedule(1.0, rest, o.end_factor)
    elif o.schedule == "inverse_sqrt":
        first = max(1, o.warmup_steps)

        def decay(step: Any) -> Any:
            return jnp.sqrt(first / (o.warmup_steps + 1.0 + step))

    else:
        decay = optax.constant_schedule(1.0)
    if not o.warmup_steps:
        return decay
    # Step 0 already moves: (step + 1) / warmup_steps.
    warmup = optax.linear_schedule(1.0 / o.warmup_steps, 1.0, max(1, o.warmup_steps - 1))
    return optax.join_schedules([warmup, decay], [o.warmup_steps])


def decay_mask(params: Any) -> Any:
    """True for matrices and kernels, which decay; biases and scales do not.

    Those are leaves of two or more axes that are not named bias, scale or shift, as vectors of
    stacked layers or of classes are.
    """

    def decays(path: Any, p: Any) -> bool:
        return p.ndim >= 2 and jax.tree_util.keystr(path[-1:], simple=True) not in _VECTORS

    return jax.tree_util.tree_map_with_path(decays, params)


def ema_update(ema: Any, params: Any, decay: float, step: jax.Array) -> Any:
    """Exponential moving average of parameters, `decay * ema + (1 - decay) * params`.

    The decay is at most `(1 + step) / (10 + step)`, so that the average forgets the initial
    parameters early in a run.
    """
    t = step.astype(jnp.float32)
    d = jnp.minimum(decay, (1.0 + t) / (10.0 + t))
    return jax.tree.map(lambda e, p: e + (1.0 - d) * (p - e), ema, params)
