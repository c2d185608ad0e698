"""Generative adversarial networks: a critic that tells real from generated, a generator against it.

What the players minimise (`loss.adversarial`), the penalty on the critic's gradient
(`loss.penalty`) and what else keeps them in balance is chosen in the config: GAN (Goodfellow et al.
2014), LSGAN, hinge loss with spectral normalisation, WGAN, WGAN-GP, DRAGAN, PacGAN, R3GAN.

One step is one generator update: `n_critic` critic updates, as an inner scan, and then the
generator's (Gulrajani et al. 2017, algorithm 1).
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from genjax import losses
from genjax.core.batch import batch_normal, batch_sum, batch_uniform
from genjax.core.config import fail
from genjax.core.family import (
    Batch,
    DataSpec,
    Family,
    Metrics,
    State,
    init_key,
    new_state,
    step_key,
)
from genjax.core.gradients import value_and_grad
from genjax.core.optimizer import ema_update, make_optimizer
from genjax.families._gan_config import METHODS, check, default_config, use_method
from genjax.families._gan_networks import make_critic, make_generator
from genjax.models.minibatch import pack
from genjax.models.spectral import initial_vectors, power_iteration, spectrally_normalized

__all__ = ["METHODS", "build", "default_config", "use_method"]

# Uses of the step's key.
_CRITIC_NOISE, _PENALTY_POINTS, _GENERATOR_NOISE, _REAL_NOISE, _FAKE_NOISE, _LAST_NOISE = range(6)


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> Family:
    """The family `gan` for a config like `configs/wgan_gp.py`.

    Samples are drawn with the generator's moving average where `ema_decay` is above 0, and with
    the running statistics of batch norm where the generator has one. Those of the critic are of
    real examples; evaluation and `score` use them.

    Args:
      config: the resolved config.
      spec: of the data.
      total_steps: length of the run, for schedules.

    Raises:
      ConfigError: a field is out of range, or two of them exclude each other.
    """
    check(config, spec)
    m, loss, n_critic = config.model, config.loss, config.loss.n_critic
    packed_shape = (*spec.shape[:-1], spec.shape[-1] * m.pack)
    generator, critic = make_generator(config, spec), make_critic(config)
    g_optimizer = make_optimizer(config.optimizer, total_steps)
    d_optimizer = make_optimizer(config.critic_optimizer, total_steps * n_critic)
    game = losses.GAMES[loss.adversarial]
    adversarial_loss = game.critic
    if loss.label_smoothing:
        adversarial_loss = functools.partial(game.critic, label_smoothing=loss.label_smoothing)
    penalty_weight = 0.0 if loss.penalty == "none" else loss.penalty_weight
    # Dense layers gain from few large products; the patches of convolutions should stay in cache.
    wide_passes = m.network == "mlp" or jax.default_backend() != "cpu"
    # What mixes examples must not mix real and generated ones.
    one_pass = wide_passes and m.critic_norm != "batch" and not m.minibatch_stddev

    def standard(x: jax.Array) -> jax.Array:
        return (x - spec.center) / spec.scale

    def generate(params: Any, variables: Any, z_BxZ: jax.Array, *, train: bool) -> tuple[Any, Any]:
        x, updated = generator.apply(
            {"params": params, **variables},
            z_BxZ,
            train=train,
            mutable=["batch_stats"] if train else [],
        )
        return (jnp.tanh(x) if spec.kind == "image" else x).astype(jnp.float32), updated

    def score(params: Any, variables: Any, x: jax.Array, *, train: bool = False) -> Any:
        """Scores of packed, standardised examples, and the updated batch statistics."""
        statistics = {name: v for name, v in variables.items() if name != "spectral"}
        if m.spectral_norm:
            params = spectrally_normalized(params, variables["spectral"])
        score_B, updated = critic.apply(
            {"params": params, **statistics}, x, train=train, mutable=["batch_stats"]
        )
        return score_B.astype(jnp.float32), updated

    def clipped(params: Any) -> Any:
        if not loss.clip:
            return params
        return jax.tree.map(lambda p: jnp.clip(p, -loss.clip, loss.clip), params)

    def init(key: jax.Array) -> State:
        g_key, d_key = jax.random.split(init_key(key))
        g = dict(generator.init(g_key, jnp.zeros((1, m.latent_dim))))
        d = dict(critic.init(d_key, jnp.zeros((1, *packed_shape))))
        g_params, d_params = g.pop("params"), clipped(d.pop("params"))
        if m.spectral_norm:
            d["spectral"] = initial_vectors(d_params, jax.random.fold_in(d_key, 0))
        return new_state(
            key,
            params={"generator": g_params, "critic": d_params},
            opt_state={
                "optimizer": g_optimizer.init(g_params),
                "critic_optimizer": d_optimizer.init(d_params),
            },
            variables={"generator": g, "critic": d},
            ema={"generator": g_params} if config.ema_decay else {},
        )

    def critic_penalty(params: Any, variables: Any, batch: Batch) -> jax.Array:
        real, fake = batch["real"], batch["fake"]

        def scores(x: jax.Array) -> jax.Array:
            return score(params, variables, x)[0]

        if loss.penalty in ("r1", "r2", "r1_r2"):
            points = {"r1": [real], "r2": [fake], "r1_r2": [real, fake]}[loss.penalty]
            points = [jnp.concatenate(points)] if one_pass else points
            each = [
                losses.zero_centered_penalty(scores, x, formulation=loss.formulation)
                for x in points
            ]
            return jnp.concatenate(each).reshape(-1, len(real)).sum(0)
        if loss.penalty == "dragan":
            x = real + loss.perturbation * batch["perturbation"]
        else:
            x = losses.interpolate(real, fake, batch["position"])
        return losses.input_gradient_penalty(
            scores, x, target=loss.target, one_sided=loss.one_sided, formulation=loss.formulation
        )

    def critic_loss(params: Any, batch: Batch, variables: Any, weight: float) -> Any:
        real, fake = batch["real"], batch["fake"]
        if one_pass:
            scores, updated = score(params, variables, jnp.concatenate([real, fake]), train=True)
            real_score, fake_score = jnp.split(scores, 2)
        else:
            real_score, updated = score(params, variables, real, train=True)
            fake_score, _ = score(params, variables, fake, train=True)
        total = adversarial_loss(real_score, fake_score).mean()
        metrics = {"real_score": real_score.mean(), "fake_score": fake_score.mean()}
        if loss.adversarial == "wasserstein":
            metrics["wasserstein"] = -total
        if weight:
            metrics["penalty"] = critic_penalty(params, variables, batch).mean()
            total += weight * metrics["penalty"]
        return total, (metrics | {"critic_loss": total}, updated)

    def critic_step(carry: Any, number: jax.Array, batch: Batch) -> Any:
        params, opt_state, variables = carry
        if m.spectral_norm:
            variables = variables | {"spectral": power_iteration(params, variables["spectral"])}

        def critic_gradient(weight: float) -> Any:
            (_, found), gradient = value_and_grad(
                lambda p, b, part: critic_loss(p, b, variables, weight), params, batch,
                accumulate_steps=config.accumulate_steps,
            )  # fmt: skip
            return gradient, found

        if not penalty_weight or loss.penalty_every == 1:
            gradient, (metrics, updated) = critic_gradient(penalty_weight)
        else:  # lazy: every k-th critic update carries k times the penalty
            k = loss.penalty_every

            def plain() -> Any:
                gradient, (metrics, updated) = critic_gradient(0.0)
                return gradient, (metrics | {"penalty": jnp.zeros(())}, updated)

            gradient, (metrics, updated) = jax.lax.cond(
                number % k == 0, lambda: critic_gradient(k * penalty_weight), plain
            )
            metrics["penalty"] *= k  # so that its mean over updates is the mean penalty
        updates, opt_state = d_optimizer.update(gradient, opt_state, params)
        params = clipped(optax.apply_updates(params, updates))
        return (params, opt_state, variables | updated), metrics

    def generator_loss(params: Any, batch: Batch, state: State) -> Any:
        d_params, d_variables = state.params["critic"], state.variables["critic"]
        z_BxZ = batch["z"].reshape(-1, m.latent_dim)
        fake, updated = generate(params, state.variables["generator"], z_BxZ, train=True)
        scores = [score(d_params, d_variables, shown(fake, batch), train=True)[0]]
        if game.paired:
            scores.insert(0, score(d_params, d_variables, batch["real"], train=True)[0])
        value = game.generator(*scores).mean()
        return value, ({"generator_loss": value}, updated)

    def shown(fake: jax.Array, batch: Batch) -> jax.Array:
        """Generated examples as the critic gets to see them."""
        fake = pack(fake, m.pack)
        return fake + batch["fake_noise"] if loss.instance_noise else fake

    def noise_stddev(state: State) -> jax.Array:
        return loss.instance_noise * jnp.maximum(1.0 - state.step / total_steps, 0.0)

    def critic_inputs(state: State, real: jax.Array) -> Batch:
        """What the critic's updates need beside generated examples; all (n_critic, packs, …)."""

        def draws(use: int, draw: Any, shape: tuple[int, ...]) -> jax.Array:
            keys = jax.random.split(step_key(state, use), n_critic)
            return jax.vmap(lambda key: draw(key, shape))(keys)

        shape, inputs = real.shape[1:], {"real": real}
        if loss.penalty == "wgan_gp":
            inputs["position"] = draws(_PENALTY_POINTS, batch_uniform, shape[:1])
        if loss.penalty == "dragan":
            inputs["perturbation"] = draws(_PENALTY_POINTS, batch_normal, shape)
        if loss.instance_noise:
            stddev = noise_stddev(state)
            inputs["real"] = real + stddev * draws(_REAL_NOISE, batch_normal, shape)
            inputs["fake_noise"] = stddev * draws(_FAKE_NOISE, batch_normal, shape)
        return inputs

    def update_critic(state: State, inputs: Batch, z: jax.Array) -> tuple[State, Metrics]:
        """`n_critic` updates of the critic; `z`: (n_critic, B, latent_dim)."""
        g_params, g_variables = state.params["generator"], state.variables["generator"]

        def draw(z_BxZ: jax.Array) -> jax.Array:
            return generate(g_params, g_variables, z_BxZ, train=True)[0]

        def update(carry: Any, numbered: Any) -> Any:
            number, batch, source = numbered
            fake = source if wide_passes else draw(source)
            return critic_step(carry, number, batch | {"fake": shown(fake, batch)})

        (params, opt_state, variables), metrics = jax.lax.scan(
            update,
            (
                state.params["critic"],
                state.opt_state["critic_optimizer"],
                state.variables["critic"],
            ),
            # The generator stands still during the critic's updates, so all their fakes can be
            # drawn in one pass; vmap keeps the batch statistics of each critic batch its own.
            (
                state.step * n_critic + jnp.arange(n_critic),
                inputs,
                jax.vmap(draw)(z) if wide_passes else z,
            ),
        )
        state = state.replace(
            params=state.params | {"critic": params},
            opt_state=state.opt_state | {"critic_optimizer": opt_state},
            variables=state.variables | {"critic": variables},
        )
        return state, jax.tree.map(lambda x: x.mean(0), metrics)

    def update_generator(state: State, batch: Batch) -> tuple[State, Metrics]:
        (_, (metrics, updated)), gradient = value_and_grad(
            lambda p, b, part: generator_loss(p, b, state), state.params["generator"], batch,
            accumulate_steps=config.accumulate_steps,
        )  # fmt: skip
        updates, opt_state = g_optimizer.update(
            gradient, state.opt_state["optimizer"], state.params["generator"]
        )
        params = optax.apply_updates(state.params["generator"], updates)
        ema = state.ema
        if config.ema_decay:
            ema = {"generator": ema_update(ema["generator"], params, config.ema_decay, state.step)}
        state = state.replace(
            params=state.params | {"generator": params},
            opt_state=state.opt_state | {"optimizer": opt_state},
            variables=state.variables | {"generator": updated},
            ema=ema,
        )
        return state, metrics

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        rows = batch["x"].shape[1]  # of the local batch
        if rows % (m.pack * config.accumulate_steps):
            part = rows / config.accumulate_steps
            raise fail("model.pack", m.pack, f"must divide the rows of each device's part, {part}")
        real = jax.vmap(lambda x: pack(x, m.pack))(standard(batch["x"]))
        inputs = critic_inputs(state, real)
        z_keys = jax.random.split(step_key(state, _CRITIC_NOISE), n_critic)
        z = jax.vmap(lambda key: batch_normal(key, (rows, m.latent_dim)))(z_keys)
        new, metrics = update_critic(state, inputs, z)

        z = batch_normal(step_key(state, _GENERATOR_NOISE), (rows, m.latent_dim))
        last = {"z": z.reshape(rows // m.pack, -1)}  # packs stay whole where parts accumulate
        if game.paired:
            last["real"] = inputs["real"][-1]
        if loss.instance_noise:
            noise = batch_normal(step_key(state, _LAST_NOISE), real.shape[1:])
            last["fake_noise"] = noise_stddev(state) * noise
        new, g_metrics = update_generator(new, last)
        return new.replace(step=state.step + 1), metrics | g_metrics

    def evaluate(state: State, batch: Batch) -> Metrics:
        """How the critic sees held-out data: its mean score and the norm of its input gradient.

        Packs are made of consecutive examples whose mask is 1; those left over are not counted.
        """
        x, mask_B = standard(batch["x"]), batch["mask"]
        if m.pack > 1:
            order = jnp.argsort(-mask_B, stable=True)
            x = pack(x[order], m.pack)
            mask_B = m.pack * mask_B[order].reshape(-1, m.pack).min(1)
        params, variables = state.params["critic"], state.variables["critic"]
        norm_B = losses.input_gradient_norm(lambda inputs: score(params, variables, inputs)[0], x)
        score_B, _ = score(params, variables, x)
        sums = {
            "count": mask_B.sum(),
            "critic_real": (mask_B * score_B).sum(),
            "gradient_norm": (mask_B * norm_B).sum(),
        }
        return batch_sum(sums)

    def decode(state: State, z_BxZ: jax.Array) -> jax.Array:
        """Latents (B, latent_dim) to examples in the range of the data."""
        params = state.ema.get("generator", state.params["generator"])
        x, _ = generate(params, state.variables["generator"], z_BxZ, train=False)
        return x * spec.scale + spec.center

    def sample(state: State, key: jax.Array, n: int) -> jax.Array:
        return decode(state, jax.random.normal(key, (n, m.latent_dim)))

    def critic_score(state: State, x: jax.Array) -> jax.Array:
        """Scores (B / pack,) of examples (B, …) in the range of the data."""
        x = pack(standard(x), m.pack)
        return score(state.params["critic"], state.variables["critic"], x)[0]

    return Family(
        init=init, step=step, evaluate=evaluate, sample=sample,
        batch_shape=(n_critic, config.batch_size),
        functions={"decode": decode, "score": critic_score},
    )  # fmt: skip
