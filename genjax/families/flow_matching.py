"""Flow matching: a velocity field, learned by regression, whose flow carries noise to data.

Source: Lipman et al. 2023 (Flow matching for generative modeling) with conditional optimal
transport paths, at `sigma_min = 0` the rectified flow of Liu et al. 2023. Time 0 is noise, time 1
is data.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core.batch import batch_normal, batch_sum, batch_uniform
from genjax.core.config import base, choose, fail, optimizer
from genjax.core.family import (
    Batch,
    DataSpec,
    Metrics,
    OldFamily,
    State,
    compute_dtype,
    init_key,
    step_key,
)
from genjax.core.optimizer import make_optimizer
from genjax.core.update import first_state, minimise
from genjax.losses.bounds import example_normal, example_uniform
from genjax.losses.flow import METHODS
from genjax.models.conv import LOWERINGS
from genjax.models.dense import ACTIVATIONS, check_widths
from genjax.models.time import TimeMLP
from genjax.models.unet import UNet, check_unet

_NOISE, _TIME, _LABEL, _PROBE = range(4)  # uses of the step's key, and seeds of evaluation's
_STRATA = 4  # of time: a test example is evaluated at a random time in each


def default_config() -> ConfigDict:
    """Every field of the family, with defaults for small images; recipes change what they need."""
    c = base()
    c.family = "flow_matching"
    c.model = ConfigDict()
    c.model.network = "unet"  # or "mlp", for points
    c.model.channels = (64, 128)  # unet, from the largest image to the smallest
    c.model.blocks = 1  # unet: residual blocks at each resolution, down and again up
    c.model.patch = 2  # unet: pixels of n x n tiles are taken for channels first
    c.model.attention = False  # unet: between the pixels of the lowest resolution
    c.model.hidden = (256, 256, 256)  # mlp
    c.model.activation = "silu"  # mlp
    c.model.norm = "layer"  # mlp; or "none"
    c.model.frequencies = 0  # mlp: of sines and cosines of each coordinate, for fine structure
    c.model.features = 64  # of the embedded time
    c.model.conditional = False  # the network is told the label
    c.model.conv_lowering = "auto"  # or "matmul", "stock": see genjax/models/conv.py
    c.loss = ConfigDict()
    c.loss.sigma_min = 0.0  # what is left of the noise at time 1
    c.loss.label_dropout = 0.1  # share of examples whose label is not told, for guidance
    c.sampler = ConfigDict()
    c.sampler.method = "heun"  # or "euler", at half the cost a step
    c.sampler.steps = 50
    c.sampler.guidance = 1.0  # classifier-free: 1 samples the class, above 1 exaggerates it
    c.sampler.likelihood_steps = 0  # evaluation tells the likelihood by so many steps; 0: not
    c.optimizer = optimizer(learning_rate=1e-3)
    return c


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> OldFamily:
    """The family `flow_matching` for a config like `configs/flow_matching.py`.

    Samples are drawn with the moving average where `ema_decay` is above 0; images are clipped to
    [0, 1]. A conditional model samples its classes in turn. In evaluation the noise of an example
    is a function of the example, the same for all runs.

    Args:
      config: the resolved config.
      spec: of the data.
      total_steps: length of the run, for schedules.

    Raises:
      ConfigError: a field is out of range.
    """
    _check(config, spec)
    sampler, shape, size = config.sampler, spec.shape, math.prod(spec.shape)
    classes = spec.num_classes if config.model.conditional else 0
    network, tx = _network(config, classes), make_optimizer(config.optimizer, total_steps)

    def standard(x: jax.Array) -> jax.Array:
        return (x - spec.center) / spec.scale

    def to_data(x: jax.Array) -> jax.Array:
        x = x * spec.scale + spec.center
        return jnp.clip(x, 0.0, 1.0) if spec.kind == "image" else x

    def velocity(params: Any, x: jax.Array, time_B: jax.Array, label_B: Any) -> jax.Array:
        v = network.apply({"params": params["velocity"]}, x, time_B, label_B)
        return jnp.asarray(v, jnp.float32)

    def guided(params: Any, x: jax.Array, time: jax.Array, label_B: Any) -> jax.Array:
        """The velocity, its part that is due to the class taken `guidance` times.

        Source: Ho and Salimans 2022 (Classifier-free diffusion guidance), equation 6.
        """
        time_B = jnp.broadcast_to(time, x.shape[:1])
        if sampler.guidance == 1.0:
            return velocity(params, x, time_B, label_B)
        labels = jnp.concatenate([label_B, jnp.full_like(label_B, classes)])
        both = velocity(params, jnp.tile(x, (2, *[1] * len(shape))), jnp.tile(time_B, 2), labels)
        told, untold = jnp.split(both, 2)
        return untold + sampler.guidance * (told - untold)

    def init(key: jax.Array) -> State:
        x, one = jnp.zeros((1, *shape)), jnp.zeros((1,))
        label = jnp.zeros((1,), jnp.int32) if classes else None
        params = {"velocity": network.init(init_key(key), x, one, label)["params"]}
        return first_state(key, params, tx, config)

    def objective(params: Any, batch: Batch, part: jax.Array) -> tuple[jax.Array, Metrics]:
        loss_B = losses.flow_matching_loss(
            lambda x, time_B: velocity(params, x, time_B, batch.get("label")),
            batch["noise"], batch["x"], batch["time"], sigma_min=config.loss.sigma_min,
        )  # fmt: skip
        return loss_B.mean(), {"loss": loss_B.mean()}

    def step(state: State, batch: Batch) -> tuple[State, Metrics]:
        x = standard(batch["x"])
        rows = {
            "x": x,
            "noise": batch_normal(step_key(state, _NOISE), x.shape),
            "time": batch_uniform(step_key(state, _TIME), x.shape[:1]),
        }
        if classes:
            u = batch_uniform(step_key(state, _LABEL), x.shape[:1])
            rows["label"] = jnp.where(u < config.loss.label_dropout, classes, batch["label"])
        return minimise(objective, state, rows, tx, config)

    def evaluate(state: State, batch: Batch) -> Metrics:
        """The loss on held-out examples; with `likelihood_steps`, `nll`, nats an example."""
        params, x, mask_B = state.ema or state.params, standard(batch["x"]), batch["mask"]
        label_B = batch["label"] if classes else None

        def field(x: jax.Array, time_B: jax.Array) -> jax.Array:
            return velocity(params, x, time_B, label_B)

        def normal(use: int, number: jax.Array) -> jax.Array:
            return example_normal(use, batch["x"], number[None], size).reshape(x.shape)

        def stratum(i: jax.Array) -> jax.Array:
            time_B = (i + example_uniform(_TIME, batch["x"], i[None], 1)[:, 0, 0]) / _STRATA
            noise = normal(_NOISE, i)
            return losses.flow_matching_loss(
                field, noise, x, time_B, sigma_min=config.loss.sigma_min
            )

        loss_B = jax.lax.map(stratum, jnp.arange(_STRATA)).mean(0)
        sums = {"count": mask_B.sum(), "loss": (mask_B * loss_B).sum()}
        if sampler.likelihood_steps:
            signs = jnp.sign(normal(_PROBE, jnp.zeros((), jnp.int32)))
            log_density_B = losses.flow_log_likelihood(
                field, x, signs, steps=sampler.likelihood_steps, method=sampler.method
            ) - size * math.log(spec.scale)
            sums["nll"] = -(mask_B * log_density_B).sum()
        return batch_sum(sums)

    def flow(state: State, x: jax.Array, label_B: Any, start: float, end: float) -> jax.Array:
        params = state.ema or state.params
        if classes and label_B is None:
            label_B = jnp.arange(len(x)) % classes
        return losses.integrate(
            lambda x, time: guided(params, x, time, label_B), x,
            steps=sampler.steps, method=sampler.method, start=start, end=end,
        )  # fmt: skip

    def decode(state: State, noise: jax.Array, label_B: Any = None) -> jax.Array:
        """Noise (B, …), of the shape of the data, to examples; labels: the classes in turn."""
        return to_data(flow(state, noise, label_B, 0.0, 1.0))

    def encode(state: State, x: jax.Array, label_B: Any = None) -> jax.Array:
        """Examples (B, …) to the noise that the flow carries to them."""
        return flow(state, standard(x), label_B, 1.0, 0.0)

    def sample(state: State, key: jax.Array, n: int) -> jax.Array:
        return decode(state, jax.random.normal(key, (n, *shape)))

    def sample_at(state: State, key: jax.Array, label_B: jax.Array) -> jax.Array:
        """A sample (B, …) for each label."""
        return decode(state, jax.random.normal(key, (len(label_B), *shape)), label_B)

    return OldFamily(
        init=init, step=step, evaluate=evaluate, sample=sample, batch_shape=(config.batch_size,),
        functions={"encode": encode, "decode": decode, "sample_at": sample_at},
    )  # fmt: skip


def _network(config: ConfigDict, classes: int) -> nn.Module:
    m, dtype = config.model, compute_dtype(config.precision)
    if m.network == "mlp":
        return TimeMLP(m.hidden, m.features, classes, m.activation, m.norm, dtype, m.frequencies)
    return UNet(
        m.channels, m.blocks, m.patch, m.attention, m.features, classes, m.conv_lowering, dtype
    )


def _check(config: ConfigDict, spec: DataSpec) -> None:
    m, loss, sampler = config.model, config.loss, config.sampler
    choose("model.network", m.network, ("unet", "mlp"))
    if m.network == "unet":
        check_unet(m.channels, m.patch, spec.shape)
    check_widths("model.hidden", m.hidden)
    choose("model.activation", m.activation, ACTIVATIONS)
    choose("model.norm", m.norm, ("none", "layer"))
    choose("model.conv_lowering", m.conv_lowering, LOWERINGS)
    if m.features < 2 or m.features % 2:
        raise fail("model.features", m.features, "must be even and at least 2")
    if m.conditional and not spec.num_classes:
        raise fail("model.conditional", True, f"data.name={config.data.name} has no labels")
    for field in ("sigma_min", "label_dropout"):
        if not 0 <= loss[field] < 1:
            raise fail(f"loss.{field}", loss[field], "must be at least 0 and below 1")
    choose("sampler.method", sampler.method, METHODS)
    for name, least in (
        ("model.blocks", 1), ("model.frequencies", 0), ("sampler.steps", 1),
        ("sampler.likelihood_steps", 0),
    ):  # fmt: skip
        section, field = name.split(".")
        if config[section][field] < least:
            raise fail(name, config[section][field], f"must be at least {least}")
    if sampler.guidance != 1 and not m.conditional:
        raise fail("sampler.guidance", sampler.guidance, "must be 1 with model.conditional=False")
