"""Critics trained to optimality against two distributions that stand still.

Pure functions of arrays and a key: `jax.vmap` over what differs (seeds, distances, clip values)
makes one program of as many critics. What a critic minimizes is the family `gan`'s `critic_loss`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from genjax.core.family import DataSpec
from genjax.core.gradients import value_and_grad
from genjax.families import gan
from genjax.models.dense import MLP

Draw = Callable[[jax.Array], tuple[jax.Array, jax.Array]]
Measure = Callable[[Any, jax.Array], Any]

_INIT, _TRAIN, _MEASURE = range(3)  # uses of the key


def train_critic(
    critic: MLP,
    draw: Draw,
    key: jax.Array,
    measure: Measure,
    *,
    adversarial: str,
    optimizer: ConfigDict,
    steps: int,
    num_measures: int = 1,
    penalty_weight: float = 0.0,
    one_sided: bool = False,
    clip: Any = None,
    learning_rate: Any = None,
) -> Any:
    """Trains a critic, measures it along the way, and returns what was measured.

    With `clip` all parameters stay in [-clip, clip] (Arjovsky et al. 2017, algorithm 1), and are
    drawn uniformly from there at first: what then lies at the bounds was driven there by training.

    Args:
      critic: from x (B, D) to scores (B,).
      draw: `draw(key) -> (real_BxD, fake_BxD)`, equally many examples of either.
      key: PRNG key of all randomness.
      measure: `measure(params, key) -> arrays`.
      adversarial: a key of `losses.ADVERSARIAL_LOSSES`.
      optimizer: a config section; its schedule ends with the last step.
      steps: updates, a multiple of `num_measures`.
      num_measures: how often, at equal distances; the last time after the last step.
      penalty_weight: of the gradient penalty (WGAN-GP); 0: none.
      one_sided: only gradients above 1 are punished.
      clip: bound of all parameters, may be traced; None: none.
      learning_rate: instead of the optimizer section's, may be traced.

    Returns:
      The arrays of `measure` with a leading axis (num_measures,).
    """
    init_key, train_key, measure_key = (
        jax.random.fold_in(key, use) for use in (_INIT, _TRAIN, _MEASURE)
    )
    penalty = {"penalty_weight": penalty_weight, "one_sided": one_sided}
    family = _family(critic, optimizer, steps, adversarial=adversarial, **penalty)

    def loss(params: Any, rows: Any, part: jax.Array) -> Any:
        return family.critic_loss(params, rows, {"variables": {}}, part)

    def update(carry: Any, step: jax.Array) -> tuple[Any, None]:
        params, opt_state = carry
        draw_key, penalty_key = jax.random.split(jax.random.fold_in(train_key, step))
        real, fake = draw(draw_key)
        position_B = jax.random.uniform(penalty_key, (len(real),))
        batch = {"real": real, "fake": fake, "position": position_B}
        _, gradient = value_and_grad(loss, params, batch)
        updates, opt_state = family.critic_optimizer.update(gradient, opt_state, params)
        params = optax.apply_updates(params, updates)
        if clip is not None:
            params = jax.tree.map(lambda p: jnp.clip(p, -clip, clip), params)
        return (params, opt_state), None

    def train_and_measure(carry: Any, steps: jax.Array) -> tuple[Any, Any]:
        carry, _ = jax.lax.scan(update, carry, steps)
        return carry, measure(carry[0], jax.random.fold_in(measure_key, steps[-1]))

    params = critic.init(init_key, draw(init_key)[0])["params"]
    if clip is not None:
        params = _uniform(init_key, params, clip)
    opt_state: Any = family.critic_optimizer.init(params)
    if learning_rate is not None:
        rate = {"learning_rate": jnp.asarray(learning_rate, jnp.float32)}
        opt_state = opt_state._replace(hyperparams=opt_state.hyperparams | rate)
    numbers = jnp.arange(steps).reshape(num_measures, -1)
    return jax.lax.scan(train_and_measure, (params, opt_state), numbers)[1]


def _family(critic: MLP, optimizer: ConfigDict, steps: int, **loss: Any) -> gan.GAN:
    """Builds the family with a critic of one's own; nobody asks its generator."""
    c = gan.default_config()
    c.loss.update(n_critic=1, penalty="wgan_gp" if loss["penalty_weight"] else "none", **loss)
    c.critic_optimizer = optimizer
    family = gan.build(c, DataSpec("point", (2,)), steps)
    return dataclasses.replace(family, critic=critic)


def scores(critic: MLP, params: Any, x: jax.Array) -> jax.Array:
    """What the critic with `params` gives to x (B, D): (B,)."""
    score_B: Any = critic.apply({"params": params}, x)
    return score_B


def seed_keys(seeds: Sequence[int]) -> jax.Array:
    """A PRNG key for each seed."""
    return jax.vmap(jax.random.key)(jnp.asarray(seeds))


def _uniform(key: jax.Array, params: Any, bound: Any) -> Any:
    """A tree like `params`, uniform in (-bound, bound)."""
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    draws = [bound * jax.random.uniform(k, p.shape, p.dtype, -1.0) for k, p in zip(keys, leaves)]
    return jax.tree.unflatten(structure, draws)
