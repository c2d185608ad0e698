"""WGAN-GP: a critic that estimates the Wasserstein distance, a generator that shortens it.

Source: Gulrajani et al. 2017, algorithm 1. One step is one generator update: `n_critic` critic
updates, as an inner scan, and then the generator's.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core.axis import BatchAxis
from genjax.core.config import ConfigError, base, choose, fail, optimizer
from genjax.core.family import (
    Batch,
    DataSpec,
    Family,
    Metrics,
    State,
    compute_dtype,
    init_key,
    new_state,
    step_key,
)
from genjax.core.gradients import value_and_grad
from genjax.core.optimizer import ema_update, make_optimizer
from genjax.models.conv import LOWERINGS
from genjax.models.convnets import ConvDecoder, ConvEncoder, check_halvings
from genjax.models.dense import ACTIVATIONS, MLP, NORMS, check_widths

_CRITIC_NOISE, _LINE_POSITIONS, _GENERATOR_NOISE = range(3)  # uses of the step's key


def default_config() -> ConfigDict:
    """Every field of the family, with defaults for small images; recipes change what they need."""
    c = base()
    c.family = "wgan"
    c.model = ConfigDict()
    c.model.network = "mlp"  # or "conv"
    c.model.latent_dim = 32
    c.model.generator_hidden = (256, 256)  # mlp
    c.model.critic_hidden = (256, 256)  # mlp
    c.model.generator_channels = (64, 128)  # conv, from the largest image to the smallest
    c.model.critic_channels = (64, 128)  # conv
    c.model.generator_activation = "relu"
    c.model.critic_activation = "leaky_relu"
    c.model.generator_norm = "none"  # or "batch", "layer"
    c.model.critic_norm = "none"  # or "layer"; batch norm makes the penalty wrong
    c.model.conv_lowering = "auto"  # or "matmul", "stock": see genjax/models/conv.py
    c.loss = ConfigDict()
    c.loss.n_critic = 3  # critic updates a generator update
    c.loss.penalty_weight = 1.0  # lambda
    c.loss.penalty_every = 1  # lazy penalty: only at every k-th critic update, k times as strong
    c.loss.target = 1.0  # of the gradient norm
    c.loss.one_sided = False  # punish only norms above the target
    c.loss.formulation = "reverse"  # or "forward": same gradient, see losses/adversarial.py
    c.optimizer = optimizer(learning_rate=5e-4, b1=0.0, b2=0.9, schedule="linear")  # generator's
    c.critic_optimizer = optimizer(learning_rate=5e-4, b1=0.0, b2=0.9, schedule="linear")
    return c


def build(
    config: ConfigDict, spec: DataSpec, total_steps: int, axis: BatchAxis = BatchAxis()
) -> Family:
    """The family `wgan` for a config like `configs/wgan_gp.py`.

    Samples are drawn with the generator's moving average where `ema_decay` is above 0, and with
    the running statistics of batch norm where the generator has one.

    Args:
      config: the resolved config.
      spec: of the data.
      total_steps: length of the run, for schedules.
      axis: the batch axis, under pmap.

    Raises:
      ConfigError: a field is out of range, or batch norm in the critic.
    """
    _check(config, spec)
    generator, critic = _generator(config, spec, axis), _critic(config, spec, axis)
    n_critic, latent_dim, loss = config.loss.n_critic, config.model.latent_dim, config.loss
    batch_size = config.batch_size
    # Dense layers gain from few large products; the patches of convolutions should stay in cache.
    wide_passes = config.model.network == "mlp" or jax.default_backend() != "cpu"
    g_optimizer = make_optimizer(config.optimizer, total_steps)
    d_optimizer = make_optimizer(config.critic_optimizer, total_steps * n_critic)

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

    def score(params: Any, x: jax.Array) -> Any:
        return critic.apply({"params": params}, x)

    def init(key: jax.Array) -> State:
        g_key, d_key = jax.random.split(init_key(key))
        g = generator.init(g_key, jnp.zeros((1, latent_dim)))
        d = critic.init(d_key, jnp.zeros((1, *spec.shape)))
        variables = {name: value for name, value in g.items() if name != "params"}
        return new_state(
            key,
            params={"generator": g["params"], "critic": d["params"]},
            opt_state={
                "optimizer": g_optimizer.init(g["params"]),
                "critic_optimizer": d_optimizer.init(d["params"]),
            },
            variables={"generator": variables},
            ema={"generator": g["params"]} if config.ema_decay else {},
        )

    def critic_loss(params: Any, batch: Batch, part: jax.Array, penalty_weight: float) -> Any:
        del part
        real, fake = batch["real"], batch["fake"]
        if wide_passes:
            scores = score(params, jnp.concatenate([real, fake]))
            real_score, fake_score = jnp.split(scores, 2)
        else:
            real_score, fake_score = score(params, real), score(params, fake)
        wasserstein = -losses.wasserstein_critic_loss(real_score, fake_score).mean()
        metrics = {"wasserstein": wasserstein}
        total = -wasserstein
        if penalty_weight:
            x = losses.interpolate(real, fake, batch["position"])
            penalty = losses.input_gradient_penalty(
                lambda inputs: score(params, inputs), x,
                target=loss.target, one_sided=loss.one_sided, formulation=loss.formulation,
            ).mean()  # fmt: skip
            total += penalty_weight * penalty
            metrics["penalty"] = penalty
        return total, metrics | {"critic_loss": total}

    def critic_gradient(params: Any, batch: Batch, penalty_weight: float) -> Any:
        (_, metrics), gradient = value_and_grad(
            lambda p, b, part: critic_loss(p, b, part, penalty_weight), params, batch,
            accumulate_steps=config.accumulate_steps, axis=axis,
        )  # fmt: skip
        return gradient, metrics

    def critic_step(carry: Any, numbered_batch: Any) -> Any:
        params, opt_state = carry
        number, batch = numbered_batch
        if loss.penalty_every == 1:
            gradient, metrics = critic_gradient(params, batch, loss.penalty_weight)
        else:  # lazy: every k-th critic update carries k times the penalty
            k = loss.penalty_every

            def plain(params: Any, batch: Batch) -> Any:
                gradient, metrics = critic_gradient(params, batch, 0.0)
                return gradient, metrics | {"penalty": jnp.zeros(())}

            gradient, metrics = jax.lax.cond(
                number % k == 0,
                lambda p, b: critic_gradient(p, b, k * loss.penalty_weight),
                plain, params, batch,
            )  # fmt: skip
            metrics["penalty"] *= k  # so that its mean over updates is the mean penalty
        updates, opt_state = d_optimizer.update(gradient, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), metrics

    def generator_loss(
        params: Any, batch: Batch, part: jax.Array, variables: Any, critic_params: Any
    ) -> Any:
        del part
        fake, updated = generate(params, variables, batch["z"], train=True)
        value = losses.wasserstein_generator_loss(score(critic_params, fake)).mean()
        return value, ({"generator_loss": value}, updated)

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        real = standard(batch["x"])
        rows = real.shape[1]  # the local batch
        noise_keys = jax.random.split(step_key(state, _CRITIC_NOISE), n_critic)
        z = jax.vmap(lambda key: axis.normal(key, (rows, latent_dim)))(noise_keys)
        position_keys = jax.random.split(step_key(state, _LINE_POSITIONS), n_critic)
        position = jax.vmap(lambda key: axis.uniform(key, (rows,)))(position_keys)
        g_variables = state.variables["generator"]

        def draw(z: jax.Array) -> jax.Array:
            return generate(state.params["generator"], g_variables, z, train=True)[0]

        def fit_critic(carry: Any, numbered: Any) -> Any:
            number, batch, z = numbered
            return critic_step(carry, (number, {"fake": draw(z), **batch}))

        numbers = state.step * n_critic + jnp.arange(n_critic)
        batches = {"real": real, "position": position}
        if wide_passes:
            # The generator stands still during the critic's updates, so all their fakes are drawn
            # in one pass; vmap keeps the batch statistics of each critic batch its own.
            batches["fake"] = jax.vmap(draw)(z)
        (critic_params, d_state), metrics = jax.lax.scan(
            critic_step if wide_passes else fit_critic,
            (state.params["critic"], state.opt_state["critic_optimizer"]),
            (numbers, batches) if wide_passes else (numbers, batches, z),
        )
        metrics = jax.tree.map(lambda m: m.mean(0), metrics)

        z = axis.normal(step_key(state, _GENERATOR_NOISE), (rows, latent_dim))
        (_, (g_metrics, updated)), gradient = value_and_grad(
            lambda p, b, part: generator_loss(p, b, part, g_variables, critic_params),
            state.params["generator"], {"z": z},
            accumulate_steps=config.accumulate_steps, axis=axis,
        )  # fmt: skip
        updates, g_state = g_optimizer.update(
            gradient, state.opt_state["optimizer"], state.params["generator"]
        )
        g_params = optax.apply_updates(state.params["generator"], updates)
        ema = state.ema
        if config.ema_decay:
            ema = {
                "generator": ema_update(ema["generator"], g_params, config.ema_decay, state.step)
            }
        state = state.replace(
            step=state.step + 1,
            params={"generator": g_params, "critic": critic_params},
            opt_state={"optimizer": g_state, "critic_optimizer": d_state},
            variables={"generator": updated},
            ema=ema,
        )
        return state, metrics | g_metrics

    def evaluate(state: State, batch: Batch) -> Metrics:
        """How the critic sees held-out data: its mean score and the norm of its input gradient."""
        x, mask_B = standard(batch["x"]), batch["mask"]
        norm_B = losses.input_gradient_norm(lambda inputs: score(state.params["critic"], inputs), x)
        score_B = score(state.params["critic"], x).astype(jnp.float32)
        sums = {
            "count": mask_B.sum(),
            "critic_real": (mask_B * score_B).sum(),
            "gradient_norm": (mask_B * norm_B).sum(),
        }
        return axis.sum(sums)

    def decode(state: State, z_BxZ: jax.Array) -> jax.Array:
        """Latents (B, latent_dim) to examples in the range of the data."""
        params = state.ema.get("generator", state.params["generator"])
        x, _ = generate(params, state.variables["generator"], z_BxZ, train=False)
        return x * spec.scale + spec.center

    def sample(state: State, key: jax.Array, n: int) -> jax.Array:
        return decode(state, jax.random.normal(key, (n, latent_dim)))

    def critic_score(state: State, x: jax.Array) -> jax.Array:
        """Scores (B,) of examples in the range of the data."""
        return score(state.params["critic"], standard(x))

    return Family(
        init=init, step=step, evaluate=evaluate, sample=sample,
        batch_shape=(n_critic, batch_size),
        functions={"decode": decode, "score": critic_score},
    )  # fmt: skip


def _generator(config: ConfigDict, spec: DataSpec, axis: BatchAxis) -> nn.Module:
    m, dtype = config.model, compute_dtype(config.precision)
    if m.network == "conv":
        return ConvDecoder(
            m.generator_channels, spec.shape, m.generator_activation, m.generator_norm, axis,
            m.conv_lowering, dtype,
        )  # fmt: skip
    return MLP(
        m.generator_hidden,
        spec.shape,
        m.generator_activation,
        m.generator_norm,
        axis=axis,
        dtype=dtype,
    )


def _critic(config: ConfigDict, spec: DataSpec, axis: BatchAxis) -> nn.Module:
    m, dtype = config.model, compute_dtype(config.precision)
    if m.network == "conv":
        return ConvEncoder(
            m.critic_channels, (), m.critic_activation, m.critic_norm, axis, m.conv_lowering, dtype
        )
    return MLP(m.critic_hidden, (), m.critic_activation, m.critic_norm, axis=axis, dtype=dtype)


def _check(config: ConfigDict, spec: DataSpec) -> None:
    m, loss = config.model, config.loss
    choose("model.network", m.network, ("mlp", "conv"))
    choose("model.generator_activation", m.generator_activation, ACTIVATIONS)
    choose("model.critic_activation", m.critic_activation, ACTIVATIONS)
    choose("model.generator_norm", m.generator_norm, NORMS)
    choose("model.conv_lowering", m.conv_lowering, LOWERINGS)
    for field in ("generator_hidden", "critic_hidden"):
        check_widths(f"model.{field}", m[field])
    choose("loss.formulation", loss.formulation, losses.FORMULATIONS)
    if m.critic_norm == "batch":
        raise fail(
            "model.critic_norm", "batch",
            "batch norm mixes examples and makes the penalty wrong; must be none or layer",
        )  # fmt: skip
    choose("model.critic_norm", m.critic_norm, ("none", "layer"))
    for field, least in (
        ("n_critic", 1),
        ("penalty_every", 1),
        ("penalty_weight", 0),
        ("target", 0),
    ):
        if loss[field] < least:
            raise fail(f"loss.{field}", loss[field], f"must be at least {least}")
    if m.latent_dim < 1:
        raise fail("model.latent_dim", m.latent_dim, "must be at least 1")
    if m.network == "conv":
        for field in ("generator_channels", "critic_channels"):
            check_halvings(f"model.{field}", m[field], spec.shape)
    if config.accumulate_steps > 1 and m.generator_norm == "batch":
        raise ConfigError(
            f"config.accumulate_steps={config.accumulate_steps}: batch norm sees only a part of "
            "the batch at a time; must be 1 with model.generator_norm=batch"
        )
