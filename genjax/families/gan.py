"""Generative adversarial networks: a critic tells real from generated, a generator opposes it.

The critic D and the generator G of WGAN-GP (Gulrajani et al. 2017, equation 3) minimize

    E[D(G(z))] - E[D(x)] + lambda E[(||grad D(y)|| - 1)^2]    and    -E[D(G(z))],

y between x and G(z). The config chooses the objectives (`loss.adversarial`, which are in
`genjax.losses.adversarial`), the penalty on the critic's gradient (`loss.penalty`, in
`genjax.losses.penalties`) and what else keeps the players in balance: GAN (Goodfellow et al. 2014),
LSGAN, hinge loss with spectral normalization, WGAN, WGAN-GP, DRAGAN, PacGAN, R3GAN. With
`model.conditional` both networks see the class of an example, or the critic guesses it (Miyato and
Koyama 2018, projection; Odena et al. 2017, AC-GAN, but that the critic learns classes from real
examples alone, as the program of Gulrajani et al. does).

A step is an update of the generator, after `n_critic` updates of the critic in an inner scan.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from genjax import losses
from genjax.core import elastic
from genjax.core.batch import batch_sum
from genjax.core.family import Batch, DataSpec, Metrics, State, new_state, shared_fields
from genjax.core.fields import read
from genjax.core.gradients import value_and_grad
from genjax.core.optimizer import ema_update, make_optimizer
from genjax.core.random import batch_normal, batch_uniform, init_key, step_key
from genjax.families._gan_fields import Config, Loss, Model, check
from genjax.families._gan_networks import Players, make_critic, make_generator
from genjax.models.minibatch import pack
from genjax.ops.platform import lowering, matmul_precision
from genjax.ops.spectral import initial_vectors, power_iteration

# Uses of the step's key.
_CRITIC_NOISE, _PENALTY_POINTS, _GENERATOR_NOISE, _REAL_NOISE, _FAKE_NOISE, _LAST_NOISE = range(6)
_CRITIC: Any = {"section": "critic_optimizer", "within": "critic"}  # of its optimizer

default_config = Config.defaults


def examples_per_step(config: ConfigDict) -> int:
    """Counts the examples that a step consumes: a batch for each critic update."""
    return int(config.batch_size) * read(Loss, config, "loss").n_critic


@dataclass(frozen=True, kw_only=True, eq=False)
class GAN(Players):
    """The family `gan`; generated examples of a conditional one have the labels of real ones."""

    loss: Loss
    optimizer: optax.GradientTransformation
    critic_optimizer: optax.GradientTransformation

    # The losses.

    def critic_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes what the critic minimizes: its objective plus the weighted penalty.

        Of WGAN-GP E[D(fake)] - E[D(real)] + weight E[(||grad D(x)|| - 1)^2] (Gulrajani et al. 2017,
        equation 3).

        Args:
          params: of the critic.
          rows: packs of standardized examples `real` and `fake`; as configured their `label`,
            `fake_noise`, and what the penalty's points are made of, `position` or `perturbation`.
          shared: `variables` of the critic and, unless it is the config's, `penalty_weight`.
          part: not used.
        """
        if self.loss.instance_noise:
            rows = rows | {"fake": rows["fake"] + rows["fake_noise"]}
        real, fake, variables = rows["real"], rows["fake"], shared["variables"]
        label = rows.get("label")
        if self._one_pass:
            both, labels = jnp.concatenate([real, fake]), _twice(label)
            scores, logits, updated = self.judge_and_classify(
                params, variables, both, labels, train=True
            )
            real_score, fake_score = jnp.split(scores, 2)
        else:
            real_score, logits, updated = self.judge_and_classify(
                params, variables, real, label, train=True
            )
            fake_score, _ = self.judge(params, variables, fake, label, train=True)
        s = self.loss.label_smoothing
        smoothing = {"label_smoothing": s} if s else {}  # of the losses that have labels
        total = self.loss.players.critic(real_score, fake_score, **smoothing).mean()
        metrics = {"real_score": real_score.mean(), "fake_score": fake_score.mean()}
        if self.loss.adversarial == "wasserstein":
            metrics["wasserstein"] = -total
        if logits is not None and label is not None:
            metrics["class_nll"] = losses.label_cross_entropy(logits[: len(real)], label).mean()
            total += self.loss.class_weight * metrics["class_nll"]
        if weight := shared.get("penalty_weight", self.loss.weight):
            metrics["penalty"] = self.penalty(params, variables, rows).mean()
            total += weight * metrics["penalty"]
        return total, (metrics | {"critic_loss": total}, updated)

    def penalty(self, params: Any, variables: Any, rows: Batch) -> jax.Array:
        """Computes the penalty on the critic's input gradient, (B,), without its weight."""
        with matmul_precision(self.loss.penalty_precision, tpu="high"):
            return self._penalty(params, variables, rows)

    def _penalty(self, params: Any, variables: Any, rows: Batch) -> jax.Array:
        real, fake, label, loss = rows["real"], rows["fake"], rows.get("label"), self.loss

        def scores(x: jax.Array) -> jax.Array:
            labels = label if len(x) == len(real) else _twice(label)
            return self.judge(params, variables, x, labels)[0]

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
          rows: latents `z` of the packs; as configured `label`, packs `real` and `fake_noise`.
          shared: `critic`, its parameters and variables, and `variables` of the generator.
          part: not used.
        """
        d_params, d_variables = shared["critic"]
        z_BxZ = rows["z"].reshape(-1, self.model.latent_dim)
        label = rows.get("label")
        fake, updated = self.generate(params, shared["variables"], z_BxZ, label, train=True)
        fake = pack(fake, self.model.pack)
        if self.loss.instance_noise:
            fake += rows["fake_noise"]
        score, logits, _ = self.judge_and_classify(d_params, d_variables, fake, label, train=True)
        scores = [score]
        if self.loss.players.paired:
            scores.insert(0, self.judge(d_params, d_variables, rows["real"], label, train=True)[0])
        value = self.loss.players.generator(*scores).mean()
        if logits is not None and label is not None:
            of_class = losses.label_cross_entropy(logits, label).mean()
            value += self.loss.generator_class_weight * of_class
        return value, ({"generator_loss": value}, updated)

    def critic_inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Draws what all critic updates of a step need: rows (n_critic, packs, …)."""
        loss, real = self.loss, self._real(state, batch)
        shape, latents = real.shape[1:], (batch["x"].shape[1], self.model.latent_dim)
        label = {"label": batch["label"]} if self.model.conditional else {}
        z = self._draws(state, _CRITIC_NOISE, latents)
        rows = {"real": real, "fake": self._fakes(state, z, *label.values()), **label}
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
        if self.model.conditional:
            inputs["label"] = batch["label"][-1]
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
        label = self.labels(jnp.zeros((1,), jnp.int32))
        g = dict(self.generator.init(g_key, jnp.zeros((1, self.model.latent_dim)), *label))
        d = dict(self.critic.init(d_key, jnp.zeros((1, *shape)), *label))
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
        x, mask_B, size = self.standard(batch["x"]), batch["mask"], self.model.pack
        label_B = batch["label"] if self.model.conditional else None
        if size > 1:
            order = jnp.argsort(-mask_B, stable=True)
            x, mask_B = pack(x[order], size), size * mask_B[order].reshape(-1, size).min(1)
        critic = state.params["critic"], state.variables["critic"]
        norm_B = losses.input_gradient_norm(lambda x: self.judge(*critic, x, label_B)[0], x)
        score_B, logits_BxC, _ = self.judge_and_classify(*critic, x, label_B)
        sums = {
            "count": mask_B.sum(),
            "critic_real": (mask_B * score_B).sum(),
            "gradient_norm": (mask_B * norm_B).sum(),
        }
        if logits_BxC is not None:
            sums["class_accuracy"] = (mask_B * (logits_BxC.argmax(-1) == label_B)).sum()
        return batch_sum(sums)

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

    def _real(self, state: State, batch: Batch) -> jax.Array:
        """Makes packs of real examples as the critic gets to see them, (n_critic, packs, …)."""
        x = jax.vmap(lambda x: pack(x, self.model.pack))(self.standard(batch["x"]))
        if not self.loss.instance_noise:
            return x
        return x + self._noise_stddev(state) * self._draws(state, _REAL_NOISE, x.shape[1:])

    def _fakes(self, state: State, z: jax.Array, *label: jax.Array) -> jax.Array:
        """Generates the packs (n_critic, packs, …) of latents (n_critic, B, latent_dim)."""
        generator = state.params["generator"], state.variables["generator"]

        def fake(*rows_B: jax.Array) -> jax.Array:
            def of_shard(rows: Any, _: jax.Array, generator: Any) -> jax.Array:
                x, _ = self.generate(*generator, *rows, train=True)
                return x

            x = elastic.each(of_shard, rows_B, generator)
            return pack(x.reshape(-1, *x.shape[2:]), self.model.pack)

        # vmap keeps the batch statistics of each critic batch its own.
        if self._wide_passes and not elastic.number():
            return jnp.asarray(jax.vmap(fake)(z, *label))
        return jnp.asarray(jax.lax.map(lambda rows: fake(*rows), (z, *label)))

    def _draws(
        self, state: State, use: int, shape: tuple[int, ...], draw: Any = batch_normal
    ) -> jax.Array:
        """Draws noise of `shape` for each critic update."""
        keys = jax.random.split(step_key(state, use), self.loss.n_critic)
        drawn: jax.Array = jax.vmap(lambda key: draw(key, shape))(keys)
        return drawn

    def _noise_stddev(self, state: State) -> jax.Array:
        return self.loss.instance_noise * jnp.maximum(1.0 - state.step / self.total_steps, 0.0)


def _twice(label: jax.Array | None) -> jax.Array | None:
    return None if label is None else jnp.tile(label, 2)


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
        critic=make_critic(model, spec, config.precision),
        optimizer=make_optimizer(config.optimizer, total_steps, within="generator"),
        critic_optimizer=make_optimizer(config.critic_optimizer, critic_steps, **_CRITIC),
    )
