"""A generator that learns beside a classifier and replays what earlier tasks looked like."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from genjax.core.batch import batch_rows
from genjax.core.family import DataSpec, State
from genjax.core.random import batch_normal
from genjax.families import gan, vae
from genjax.families._continual_fields import Generator

_ROOT = 1  # folded into the run's key: the generator's draws are its own


@dataclass(frozen=True, eq=False)
class GenerativeReplay:
    """A VAE or GAN of this package, whose state is kept within that of another family.

    Attributes:
      family: `vae`, or `gan` with one critic update a step.
    """

    family: vae.VAE | gan.GAN

    def init(self, key: jax.Array) -> dict[str, Any]:
        """Makes all that it keeps, from the run's root key."""
        return _kept(self.family.init(jax.random.fold_in(key, _ROOT)))

    def memory(self, kept: dict[str, Any]) -> dict[str, Any]:
        """Returns the part of what it keeps that draws examples."""
        return {name: v for name, v in kept.items() if name != "opt_state"}

    def step(
        self, kept: dict[str, Any], state: State, x: jax.Array
    ) -> tuple[dict[str, Any], dict[str, jax.Array]]:
        """Makes an update on examples (B, …), which are of all tasks so far.

        Args:
          kept: of `init`.
          state: of the family that it learns beside: its step and key count.
          x: in the range of the data.
        """
        axes = len(self.family.batch_shape) - 1
        batch = {"x": x.reshape(*(1,) * axes, *x.shape)}
        own, metrics = self.family.step(_state(kept, state), batch)
        return _kept(own), {f"generator_{name}": v for name, v in metrics.items()}

    def draw(self, memory: dict[str, Any], state: State, key: jax.Array, rows: int) -> jax.Array:
        """Draws `rows` examples of this device's part of the batch."""
        z_BxZ = batch_normal(key, (rows, self.family.model.latent_dim))
        return self.family.decode(_state(memory | {"opt_state": {}}, state), z_BxZ)

    def mixed(
        self, x: jax.Array, replayed: jax.Array, share: jax.Array, key: jax.Array
    ) -> jax.Array:
        """Replaces all but about a `share` of the rows of `x` by rows of `replayed`.

        Source: Shin et al. 2017 (Continual learning with deep generative replay), section 3.1.
        """
        uniform_B = batch_rows(lambda shape: jax.random.uniform(key, shape), (len(x),))
        real = (uniform_B < share).reshape(-1, *(1,) * (x.ndim - 1))
        return jnp.where(real, x, replayed)


def make_generator(
    kind: str, section: Generator, config: ConfigDict, spec: DataSpec, total_steps: int
) -> GenerativeReplay:
    """Makes a `vae` or a `gan`, dense; its optimizers have the classifier's epsilon."""
    module = {"vae": vae, "gan": gan}[kind]
    c = module.default_config()
    c.update({n: config[n] for n in ("batch_size", "accumulate_steps", "precision")})
    c.model.latent_dim = section.latent_dim
    encoder, decoder = tuple(section.hidden), tuple(reversed(section.hidden))
    if kind == "vae":
        c.model.update(encoder_hidden=encoder, decoder_hidden=decoder)
        c.optimizer.update(learning_rate=section.learning_rate, eps=config.optimizer.eps)
    else:
        c.model.update(critic_hidden=encoder, generator_hidden=decoder)
        c.loss.n_critic = 1
        for optimizer, factor in ((c.optimizer, 1), (c.critic_optimizer, 2)):
            rate = factor * section.learning_rate
            optimizer.update(learning_rate=rate, eps=config.optimizer.eps, schedule="constant")
    return GenerativeReplay(module.build(c, spec, total_steps))


def _kept(state: State) -> dict[str, Any]:
    names = ("params", "opt_state", "variables", "ema")
    return {name: dict(getattr(state, name)) for name in names}


def _state(kept: dict[str, Any], state: State) -> State:
    return State(step=state.step, key=jax.random.fold_in(state.key, _ROOT), **kept)
