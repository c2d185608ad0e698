"""Generative adversarial networks: a critic tells real from generated, a generator opposes it.

The critic D and the generator G of WGAN-GP (Gulrajani et al. 2017, equation 3) minimize

    E[D(G(z))] - E[D(x)] + lambda E[(||grad D(y)|| - 1)^2]    and    -E[D(G(z))],

y between x and G(z). The config chooses the objectives (`loss.adversarial`, which are in
`genjax.losses.adversarial`), the penalty on the critic's gradient (`loss.penalty`, in
`genjax.losses.penalties`) and what else keeps the players in balance: GAN (Goodfellow et al. 2014),
LSGAN, hinge loss with spectral normalization, WGAN, WGAN-GP, DRAGAN, PacGAN, R3GAN.

A step is an update of the generator, after `n_critic` updates of the critic in an inner scan.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core.batch import batch_sum
from genjax.core.family import Batch, DataSpec, Family, Metrics, State, new_state, shared_fields
from genjax.core.fields import read
from genjax.core.gradients import value_and_grad
from genjax.core.optimizer import ema_update, make_optimizer
from genjax.core.random import batch_normal, batch_uniform, init_key, step_key
from genjax.families._gan_fields import Config, Loss, Model, check
from genjax.families._gan_networks import make_critic, make_generator
from genjax.models.features import watched
from genjax.models.minibatch import pack
from genjax.ops.platform import lowering
from genjax.ops.spectral import initial_vectors, power_iteration, spectrally_normalized

# Uses of the step's key.
_CRITIC_NOISE, _PENALTY_POINTS, _GENERATOR_NOISE, _REAL_NOISE, _FAKE_NOISE, _LAST_NOISE = range(6)
_CRITIC: Any = {"section": "critic_optimizer", "within": "critic"}  # of its optimizer

default_config = Config.defaults


def examples_per_step(config: ConfigDict) -> int:
    """Counts the examples that a step consumes: a batch for each critic update."""
    return int(config.batch_size) * read(Loss, config, "loss").n_critic


@dataclass(frozen=True, kw_only=True, eq=False)
class GAN(Family):
    """The family `gan`.

    Samples are drawn with the generator's moving average where `ema_decay` is above 0, and with
    the running statistics of batch norm where the generator has one. Those of the critic are of
    real examples; evaluation and `score` use them.
    """

    model: Model
    loss: Loss
    generator: nn.Module
    critic: nn.Module
    optimizer: optax.GradientTransformation
    critic_optimizer: optax.GradientTransformation

    # The networks.

    def generate(
        self, params: Any, variables: Any, z_BxZ: jax.Array, *, train: bool
    ) -> tuple[jax.Array, Any]:
        """Computes standardized examples (B, …) of latents, and the updated batch statistics."""
        x, updated = self.generator.apply(
            {"params": params, **variables},
            z_BxZ,
            train=train,
            mutable=["batch_stats"] if train else [],
        )
        return (jnp.tanh(x) if self.spec.kind == "image" else x).astype(jnp.float32), updated

    def judge(
        self, params: Any, variables: Any, x: jax.Array, *, train: bool = False
    ) -> tuple[jax.Array, Any]:
        """Computes scores of packed, standardized examples, and the updated batch statistics."""
        statistics = {name: v for name, v in variables.items() if name != "spectral"}
        if self.model.spectral_norm:
            params = spectrally_normalized(params, variables["spectral"])
        score_B, updated = self.critic.apply(
            {"params": params, **statistics}, x, train=train, mutable=["batch_stats"]
        )
        return score_B.astype(jnp.float32), updated

    # The losses.

    def critic_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes what the critic minimizes: its objective plus the weighted penalty.

        Of WGAN-GP E[D(fake)] - E[D(real)] + weight E[(||grad D(x)|| - 1)^2] (Gulrajani et al. 2017,
        equation 3).

        Args:
          params: of the critic.
          rows: packs of standardized examples `real` and `fake`; as configured `fake_noise`, and
            what the penalty's points are made of, `position` or `perturbation`.
          shared: `variables` of the critic and, unless it is the config's, `penalty_weight`.
          part: not used.
        """
        if self.loss.instance_noise:
            rows = rows | {"fake": rows["fake"] + rows["fake_noise"]}
        real, fake, variables = rows["real"], rows["fake"], shared["variables"]
        if self._one_pass:
            scores, updated = self.judge(
                params, variables, jnp.concatenate([real, fake]), train=True
            )
            real_score, fake_score = jnp.split(scores, 2)
        else:
            real_score, updated = self.judge(params, variables, real, train=True)
            fake_score, _ = self.judge(params, variables, fake, train=True)
        s = self.loss.label_smoothing
        labels = {"label_smoothing": s} if s else {}  # of the losses that have labels
        total = self.loss.players.critic(real_score, fake_score, **labels).mean()
        metrics = {"real_score": real_score.mean(), "fake_score": fake_score.mean()}
        if self.loss.adversarial == "wasserstein":
            metrics["wasserstein"] = -total
        if weight := shared.get("penalty_weight", self.loss.weight):
            metrics["penalty"] = self.penalty(params, variables, rows).mean()
            total += weight * metrics["penalty"]
        return total, (metrics | {"critic_loss": total}, updated)

    def penalty(self, params: Any, variables: Any, rows: Batch) -> jax.Array:
        """Computes the penalty on the critic's input gradient, (B,), without its weight."""
        real, fake, loss = rows["real"], rows["fake"], self.loss

        def scores(x: jax.Array) -> jax.Array:
            return self.judge(params, variables, x)[0]

        if loss.penalty in ("r1", "r2", "r1_r2"):
            points = {"r1": [real], "r2": [fake], "r1_r2": [real, fake]}[loss.penalty]
            points = [jnp.concatenate(points)] if self._one_pass else points
            each = [losses.r1_penalty(scores, x, formulation=loss.formulation) for x in points]
            return jnp.concatenate(each).reshape(-1, len(real)).sum(0)
        settings: dict[str, Any] = {"target": loss.target, "one_sided": loss.one_sided}
        settings["formulation"] = loss.formulation
        if loss.penalty == "dragan":
            x = real + loss.perturbation * rows["perturbation"]
            return losses.input_gradient_penalty(scores, x, **settings)
        return losses.gradient_penalty(scores, real, fake, rows["position"], **settings)

    def generator_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes what the generator minimizes; of WGAN -E[D(fake)].

        Args:
          params: of the generator.
          rows: latents `z` of the packs; as configured, packs `real` and `fake_noise`.
          shared: `critic`, its parameters and variables, and `variables` of the generator.
          part: not used.
        """
        d_params, d_variables = shared["critic"]
        z_BxZ = rows["z"].reshape(-1, self.model.latent_dim)
        fake, updated = self.generate(params, shared["variables"], z_BxZ, train=True)
        fake = pack(fake, self.model.pack)
        if self.loss.instance_noise:
            fake += rows["fake_noise"]
        scores = [self.judge(d_params, d_variables, fake, train=True)[0]]
        if self.loss.players.paired:
            scores.insert(0, self.judge(d_params, d_variables, rows["real"], train=True)[0])
        value = self.loss.players.generator(*scores).mean()
        return value, ({"generator_loss": value}, updated)

    def critic_inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Draws what all critic updates of a step need: rows (n_critic, packs, …)."""
        loss, real = self.loss, self._real(state, batch)
        shape, latents = real.shape[1:], (batch["x"].shape[1], self.model.latent_dim)
        rows = {
            "real": real,
            "fake": self._fakes(state, self._draws(state, _CRITIC_NOISE, latents)),
        }
        if loss.instance_noise:
            noise = self._draws(state, _FAKE_NOISE, shape)
            rows["fake_noise"] = self._noise_stddev(state) * noise
        if loss.penalty == "wgan_gp":
            rows["position"] = self._draws(state, _PENALTY_POINTS, shape[:1], batch_uniform)
        if loss.penalty == "dragan":
            rows["perturbation"] = self._draws(state, _PENALTY_POINTS, shape)
        return rows, {"variables": state.variables["critic"]}

    def generator_inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Draws what the update of the generator needs."""
        rows, real = batch["x"].shape[1], self._real(state, batch)[-1]
        z = batch_normal(step_key(state, _GENERATOR_NOISE), (rows, self.model.latent_dim))
        inputs = {"z": z.reshape(len(real), -1)}  # packs stay whole where parts accumulate
        if self.loss.players.paired:
            inputs["real"] = real
        if self.loss.instance_noise:
            noise = batch_normal(step_key(state, _LAST_NOISE), real.shape)
            inputs["fake_noise"] = self._noise_stddev(state) * noise
        critic = state.params["critic"], state.variables["critic"]
        return inputs, {"critic": critic, "variables": state.variables["generator"]}

    # The contract.

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """Has a batch for each critic update."""
        return (self.loss.n_critic, self.batch_size)

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        g_key, d_key = jax.random.split(init_key(key))
        shape = (*self.spec.shape[:-1], self.spec.shape[-1] * self.model.pack)
        g = dict(self.generator.init(g_key, jnp.zeros((1, self.model.latent_dim))))
        d = dict(self.critic.init(d_key, jnp.zeros((1, *shape))))
        g_params, d_params = g.pop("params"), self.loss.clipped(d.pop("params"))
        if self.model.spectral_norm:
            d["spectral"] = initial_vectors(d_params, jax.random.fold_in(d_key, 0))
        return new_state(
            key,
            params={"generator": g_params, "critic": d_params},
            opt_state={
                "optimizer": self.optimizer.init(g_params),
                "critic_optimizer": self.critic_optimizer.init(d_params),
            },
            variables={"generator": g, "critic": d},
            ema={"generator": g_params} if self.ema_decay else {},
        )

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """See `Family`; Gulrajani et al. 2017, algorithm 1."""
        self.model.check_rows(batch["x"].shape[1] / self.accumulate_steps)  # of a device
        state, metrics = self._update_critic(state, *self.critic_inputs(state, batch))
        state, g_metrics = self._update_generator(state, *self.generator_inputs(state, batch))
        return state.replace(step=state.step + 1), metrics | g_metrics

    def _update_critic(self, state: State, rows: Batch, shared: Any) -> tuple[State, Metrics]:
        """Makes `n_critic` updates of the critic; the generator stands still."""
        first = state.params["critic"], state.opt_state["critic_optimizer"], shared["variables"]
        n = self.loss.n_critic
        (params, opt_state, variables), metrics = jax.lax.scan(
            lambda carry, numbered: self._critic_step(carry, *numbered),
            first,
            (state.step * n + jnp.arange(n), rows),
        )
        state = state.replace(
            params=state.params | {"critic": params},
            opt_state=state.opt_state | {"critic_optimizer": opt_state},
            variables=state.variables | {"critic": variables},
        )
        return state, jax.tree.map(lambda x: x.mean(0), metrics)

    def _critic_step(self, carry: Any, number: jax.Array, rows: Batch) -> Any:
        params, opt_state, variables = carry
        if self.model.spectral_norm:
            variables = variables | {"spectral": power_iteration(params, variables["spectral"])}

        def gradient_with(weight: float) -> Any:
            shared = {"variables": variables, "penalty_weight": weight}
            (_, found), gradient = self._gradient(self.critic_loss, params, rows, shared)
            return gradient, found

        weight, k = self.loss.weight, self.loss.penalty_every
        if not weight or k == 1:
            gradient, (metrics, updated) = gradient_with(weight)
        else:  # lazy: every k-th critic update carries k times the penalty

            def plain() -> Any:
                gradient, (metrics, updated) = gradient_with(0.0)
                return gradient, (metrics | {"penalty": jnp.zeros(())}, updated)

            gradient, (metrics, updated) = jax.lax.cond(
                number % k == 0, lambda: gradient_with(k * weight), plain
            )
            metrics["penalty"] *= k  # so that its mean over updates is the mean penalty
        updates, opt_state = self.critic_optimizer.update(gradient, opt_state, params)
        params = self.loss.clipped(optax.apply_updates(params, updates))
        return (params, opt_state, variables | updated), metrics

    def _update_generator(self, state: State, rows: Batch, shared: Any) -> tuple[State, Metrics]:
        params, ema = state.params["generator"], state.ema
        (_, (metrics, updated)), gradient = self._gradient(
            self.generator_loss, params, rows, shared
        )
        updates, opt_state = self.optimizer.update(gradient, state.opt_state["optimizer"], params)
        params = optax.apply_updates(params, updates)
        if self.ema_decay:
            ema = {"generator": ema_update(ema["generator"], params, self.ema_decay, state.step)}
        state = state.replace(
            params=state.params | {"generator": params},
            opt_state=state.opt_state | {"optimizer": opt_state},
            variables=state.variables | {"generator": updated},
            ema=ema,
        )
        return state, metrics

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Sums how the critic sees held-out data: its score, the norm of its input gradient.

        Packs are made of consecutive examples whose mask is 1; those left over are not counted.
        """
        x, mask_B, size = self._standard(batch["x"]), batch["mask"], self.model.pack
        if size > 1:
            order = jnp.argsort(-mask_B, stable=True)
            x, mask_B = pack(x[order], size), size * mask_B[order].reshape(-1, size).min(1)
        critic = state.params["critic"], state.variables["critic"]
        norm_B = losses.input_gradient_norm(lambda inputs: self.judge(*critic, inputs)[0], x)
        score_B, _ = self.judge(*critic, x)
        sums = {
            "count": mask_B.sum(),
            "critic_real": (mask_B * score_B).sum(),
            "gradient_norm": (mask_B * norm_B).sum(),
        }
        return batch_sum(sums)

    # What it is used for.

    def decode(self, state: State, z_BxZ: jax.Array) -> jax.Array:
        """Decodes latents (B, latent_dim): examples (B, …) in the range of the data."""
        params = state.eval_params["generator"]
        x, _ = self.generate(params, state.variables["generator"], z_BxZ, train=False)
        return x * self.spec.scale + self.spec.center

    def sample(self, state: State, key: jax.Array, n: int) -> jax.Array:
        """Draws `n` examples."""
        return self.decode(state, jax.random.normal(key, (n, self.model.latent_dim)))

    def score(self, state: State, x: jax.Array) -> jax.Array:
        """Computes the critic's scores (B / pack,) of examples (B, …) in the range of the data."""
        x = pack(self._standard(x), self.model.pack)
        return self.judge(state.params["critic"], state.variables["critic"], x)[0]

    def features(self, state: State, x: jax.Array) -> dict[str, jax.Array]:
        """Computes the hidden layers of the critic, (B / pack, …) each, of examples (B, …)."""
        watching, layers = watched(self, critic="critic")
        watching.score(state, x)
        return layers

    # Behind them.

    @property
    def _wide_passes(self) -> bool:
        return self.model.network == "mlp" or lowering("convolutional passes") == "wide"

    @property
    def _one_pass(self) -> bool:
        # What mixes examples must not mix real and generated ones.
        return self._wide_passes and not self.model.mixes

    def _gradient(self, loss: Any, params: Any, rows: Batch, shared: Any) -> Any:
        return value_and_grad(
            lambda p, r, part: loss(p, r, shared, part),
            params,
            rows,
            accumulate_steps=self.accumulate_steps,
        )

    def _standard(self, x: jax.Array) -> jax.Array:
        return (x - self.spec.center) / self.spec.scale

    def _real(self, state: State, batch: Batch) -> jax.Array:
        """Makes packs of real examples as the critic gets to see them, (n_critic, packs, …)."""
        x = jax.vmap(lambda x: pack(x, self.model.pack))(self._standard(batch["x"]))
        if not self.loss.instance_noise:
            return x
        return x + self._noise_stddev(state) * self._draws(state, _REAL_NOISE, x.shape[1:])

    def _fakes(self, state: State, z: jax.Array) -> jax.Array:
        """Generates the packs (n_critic, packs, …) of latents (n_critic, B, latent_dim)."""
        generator = state.params["generator"], state.variables["generator"]

        def fake(z_BxZ: jax.Array) -> jax.Array:
            return pack(self.generate(*generator, z_BxZ, train=True)[0], self.model.pack)

        # vmap keeps the batch statistics of each critic batch its own.
        return jax.vmap(fake)(z) if self._wide_passes else jax.lax.map(fake, z)

    def _draws(
        self, state: State, use: int, shape: tuple[int, ...], draw: Any = batch_normal
    ) -> jax.Array:
        """Draws noise of `shape` for each critic update."""
        keys = jax.random.split(step_key(state, use), self.loss.n_critic)
        drawn: jax.Array = jax.vmap(lambda key: draw(key, shape))(keys)
        return drawn

    def _noise_stddev(self, state: State) -> jax.Array:
        return self.loss.instance_noise * jnp.maximum(1.0 - state.step / self.total_steps, 0.0)


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> GAN:
    """Builds the family from a config like `configs/wgan_gp.py`; raises `ConfigError`."""
    model, loss = read(Model, config, "model"), read(Loss, config, "loss")
    check(model, loss, config, spec)
    critic_steps = total_steps * loss.n_critic
    return GAN(
        **shared_fields(config, spec, total_steps),
        model=model,
        loss=loss,
        generator=make_generator(model, spec, config.precision),
        critic=make_critic(model, config.precision),
        optimizer=make_optimizer(config.optimizer, total_steps, within="generator"),
        critic_optimizer=make_optimizer(config.critic_optimizer, critic_steps, **_CRITIC),
    )
