"""Flow matching: a velocity field, learned by regression, whose flow carries noise to data.

On the straight path x_t = (1 - (1 - sigma_min) t) x_0 + t x_1 from noise x_0 at time 0 to an
example x_1 at time 1, the loss of an example is the mean over its elements of

    (v(x_t, t) - (x_1 - (1 - sigma_min) x_0))^2,    t uniform on [0, 1).

Sources: Lipman et al. 2023, "Flow matching for generative modeling" (equation 23: conditional
optimal transport paths), at `sigma_min = 0` the rectified flow of Liu et al. 2023; Ho and Salimans
2022 (guidance); Chen et al. 2018 and Grathwohl et al. 2019 (likelihoods).
"""

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core.batch import batch_sum
from genjax.core.config import Base, fail
from genjax.core.family import Batch, DataSpec, Family, Metrics, State, compute_dtype, shared_fields
from genjax.core.fields import field, read, subsection
from genjax.core.network import applied
from genjax.core.optimizer import make_optimizer
from genjax.core.random import (
    batch_normal,
    batch_uniform,
    example_normal,
    example_uniform,
    init_key,
    step_key,
)
from genjax.core.update import first_state, minimize
from genjax.families._checks import check_unet
from genjax.generation.flow import METHODS, flow_log_likelihood, integrate
from genjax.models.dense import ACTIVATIONS
from genjax.models.features import watched
from genjax.models.time import TimeMLP
from genjax.models.unet import UNet
from genjax.ops.conv import LOWERINGS

_NOISE, _TIME, _LABEL, _PROBE = range(4)  # uses of the step's key, and seeds of evaluation's
_STRATA = 4  # of time: a test example is evaluated at a random time in each


@dataclass(frozen=True)
class Model:
    """The section `model`."""

    network: str = field("unet", "of the velocity; mlp for points", choices=("unet", "mlp"))
    channels: tuple[int, ...] = field((64, 128), "unet: from the largest image on")
    blocks: int = field(1, "unet: residual blocks at each resolution, down and again up", ge=1)
    patch: int = field(2, "unet: pixels of n x n tiles are taken for channels first")
    attention: bool = field(False, "unet: between the pixels of the lowest resolution")
    hidden: tuple[int, ...] = field((256, 256, 256), "mlp: widths of hidden layers", ge=1)
    activation: str = field("silu", "mlp: of hidden layers", choices=ACTIVATIONS)
    norm: str = field("layer", "mlp: of hidden layers", choices=("none", "layer"))
    frequencies: int = field(
        0, "mlp: of sines and cosines of each coordinate, for fine structure", ge=0
    )
    features: int = field(64, "of the embedded time; even")
    conditional: bool = field(False, "the network sees the label")
    conv_lowering: str = field("auto", "how convolutions are computed", choices=LOWERINGS)

    def check(self, spec: DataSpec) -> None:
        """Raises `ConfigError` where the network does not fit the data of `spec`."""
        if self.network == "unet":
            check_unet(self.channels, self.patch, spec.shape)
        if self.features < 2 or self.features % 2:
            raise fail("model.features", self.features, "must be even and at least 2")


@dataclass(frozen=True)
class Loss:
    """The section `loss`."""

    sigma_min: float = field(0.0, "what is left of the noise at time 1", ge=0, lt=1)
    label_dropout: float = field(
        0.1, "share of examples whose label is hidden, for guidance", ge=0, lt=1
    )


@dataclass(frozen=True)
class Sampler:
    """The section `sampler`."""

    method: str = field("heun", "of integration; euler is half the cost a step", choices=METHODS)
    steps: int = field(50, "of integration", ge=1)
    guidance: float = field(1.0, "classifier-free: 1 samples the class, above 1 exaggerates it")
    likelihood_steps: int = field(
        0, "evaluation reports the likelihood by so many steps; 0: none", ge=0
    )
    feature_time: float = field(
        0.9, "at which features are computed: 0 of noise alone, 1 of the example", ge=0, le=1
    )


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with defaults for small images."""

    family: str = "flow_matching"
    model: Model = subsection(Model)
    loss: Loss = subsection(Loss)
    sampler: Sampler = subsection(Sampler)


default_config = Config.defaults


@dataclass(frozen=True, kw_only=True, eq=False)
class FlowMatching(Family):
    """The family `flow_matching`.

    Samples are drawn with the moving average where `ema_decay` is above 0; images are clipped to
    [0, 1]. A conditional model samples its classes in turn. In evaluation the noise of an example
    is a function of the example, the same for all runs.
    """

    model: Model
    loss: Loss
    sampler: Sampler
    network: nn.Module
    optimizer: optax.GradientTransformation

    # The network.

    def velocity(self, params: Any, x: jax.Array, time_B: jax.Array, label_B: Any) -> jax.Array:
        """Computes the velocities (B, …) at standardized points; the label C of C: no class."""
        v = applied(self.network, params["velocity"], x, time_B, label_B)
        return jnp.asarray(v, jnp.float32)

    def guided(self, params: Any, x: jax.Array, time: jax.Array, label_B: Any) -> jax.Array:
        """Computes the velocities, their part that is due to the class taken `guidance` times.

        Source: Ho and Salimans 2022 (Classifier-free diffusion guidance), equation 6.
        """
        guidance, time_B = self.sampler.guidance, jnp.broadcast_to(time, x.shape[:1])
        if guidance == 1.0:
            return self.velocity(params, x, time_B, label_B)
        labels = jnp.concatenate([label_B, jnp.full_like(label_B, self._classes)])
        twice = jnp.tile(x, (2, *[1] * (x.ndim - 1)))
        both = self.velocity(params, twice, jnp.tile(time_B, 2), labels)
        with_label, without = jnp.split(both, 2)
        return without + guidance * (with_label - without)

    # The loss.

    def velocity_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes (v(x_t, t) - (x_1 - (1 - sigma_min) x_0))^2 (Lipman et al. 2023, equation 23).

        Args:
          params: of the network `velocity`.
          rows: standardized `x`, standard normal `noise`, `time` and, of a conditional model,
            `label`.
          shared: not used.
          part: not used.
        """
        loss = self._errors(params, rows["x"], rows["noise"], rows["time"], rows.get("label"))
        return loss.mean(), {"loss": loss.mean()}

    def inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Draws what the loss of the update that follows `state` needs."""
        x = self._standard(batch["x"])
        rows = {
            "x": x,
            "noise": batch_normal(step_key(state, _NOISE), x.shape),
            "time": batch_uniform(step_key(state, _TIME), x.shape[:1]),
        }
        if self._classes:
            u = batch_uniform(step_key(state, _LABEL), x.shape[:1])
            rows["label"] = jnp.where(u < self.loss.label_dropout, self._classes, batch["label"])
        return rows, {}

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        x, time = jnp.zeros((1, *self.spec.shape)), jnp.zeros((1,))
        label = jnp.zeros((1,), jnp.int32) if self._classes else None
        params = {"velocity": self.network.init(init_key(key), x, time, label)["params"]}
        return first_state(key, params, self.optimizer, self)

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """See `Family`."""
        return minimize(self.velocity_loss, state, *self.inputs(state, batch), self.optimizer, self)

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """Sums the loss of held-out examples; with `likelihood_steps`, `nll`, nats an example."""
        params, x, mask_B = state.eval_params, self._standard(batch["x"]), batch["mask"]
        label_B, size = batch["label"] if self._classes else None, math.prod(self.spec.shape)

        def normal(use: int, number: jax.Array) -> jax.Array:
            return example_normal(use, batch["x"], number[None], size).reshape(x.shape)

        def stratum(i: jax.Array) -> jax.Array:
            time_B = (i + example_uniform(_TIME, batch["x"], i[None], 1)[:, 0, 0]) / _STRATA
            return self._errors(params, x, normal(_NOISE, i), time_B, label_B)

        loss_B = jax.lax.map(stratum, jnp.arange(_STRATA)).mean(0)
        sums = {"count": mask_B.sum(), "loss": (mask_B * loss_B).sum()}
        if self.sampler.likelihood_steps:
            signs = jnp.sign(normal(_PROBE, jnp.zeros((), jnp.int32)))
            log_density_B = flow_log_likelihood(
                lambda x, time_B: self.velocity(params, x, time_B, label_B),
                x,
                signs,
                steps=self.sampler.likelihood_steps,
                method=self.sampler.method,
            ) - size * math.log(self.spec.scale)
            sums["nll"] = -(mask_B * log_density_B).sum()
        return batch_sum(sums)

    # What it is used for.

    def encode(self, state: State, x: jax.Array, label_B: Any = None) -> jax.Array:
        """Encodes examples (B, …): the noise that the flow carries to them."""
        return self._flow(state, self._standard(x), label_B, 1.0, 0.0)

    def decode(self, state: State, noise: jax.Array, label_B: Any = None) -> jax.Array:
        """Decodes noise (B, …), of the shape of the data; labels: the classes in turn."""
        x = self._flow(state, noise, label_B, 0.0, 1.0) * self.spec.scale + self.spec.center
        return jnp.clip(x, 0.0, 1.0) if self.spec.kind == "image" else x

    def features(self, state: State, x: jax.Array, label_B: Any = None) -> dict[str, jax.Array]:
        """Computes the blocks of a U-Net, (B, H, W, C), or the hidden layers, at `feature_time` t.

        The network sees x_t, whose noise is a function of the example (Xiang et al. 2023, Denoising
        diffusion autoencoders, section 3.2), and without labels that there is no class.
        """
        time_B = jnp.full(x.shape[:1], self.sampler.feature_time)
        noise = example_normal(_NOISE, x, jnp.arange(1), math.prod(self.spec.shape))
        noise = noise.reshape(x.shape)
        kept = 1 - (1 - self.loss.sigma_min) * self.sampler.feature_time
        x_t = kept * noise + self.sampler.feature_time * self._standard(x)
        if self._classes and label_B is None:
            label_B = jnp.full(x.shape[:1], self._classes)
        watching, layers = watched(self, network="velocity")
        watching.velocity(state.eval_params, x_t, time_B, label_B)
        return layers

    def latents(self, state: State, key: jax.Array, n: int) -> jax.Array:
        """Draws the noise of `n` examples, (n, …)."""
        return jax.random.normal(key, (n, *self.spec.shape))

    def sample(self, state: State, key: jax.Array, n: int) -> jax.Array:
        """Draws `n` examples."""
        return self.decode(state, self.latents(state, key, n))

    def sample_at(self, state: State, key: jax.Array, label_B: jax.Array) -> jax.Array:
        """Draws an example (B, …) of each label."""
        return self.decode(state, self.latents(state, key, len(label_B)), label_B)

    # Behind them.

    @property
    def _classes(self) -> int:
        return self.spec.num_classes if self.model.conditional else 0

    def _standard(self, x: jax.Array) -> jax.Array:
        return (x - self.spec.center) / self.spec.scale

    def _errors(
        self, params: Any, x: jax.Array, noise: jax.Array, time_B: jax.Array, label_B: Any
    ) -> jax.Array:
        return losses.flow_matching_loss(
            lambda x, time_B: self.velocity(params, x, time_B, label_B),
            noise,
            x,
            time_B,
            sigma_min=self.loss.sigma_min,
        )

    def _flow(
        self, state: State, x: jax.Array, label_B: Any, start: float, end: float
    ) -> jax.Array:
        """Carries points (B, …) along the guided flow from time `start` to time `end`."""
        params = state.eval_params
        if self._classes and label_B is None:
            label_B = jnp.arange(len(x)) % self._classes
        end_of_flow: jax.Array = integrate(
            lambda x, time: self.guided(params, x, time, label_B),
            x,
            steps=self.sampler.steps,
            method=self.sampler.method,
            start=start,
            end=end,
        )
        return end_of_flow


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> FlowMatching:
    """Builds the family from a config like `configs/flow_matching.py`; raises `ConfigError`."""
    model, sampler = read(Model, config, "model"), read(Sampler, config, "sampler")
    model.check(spec)
    _check(model, sampler, config, spec)
    return FlowMatching(
        **shared_fields(config, spec, total_steps),
        model=model,
        loss=read(Loss, config, "loss"),
        sampler=sampler,
        network=_network(model, spec, config.precision),
        optimizer=make_optimizer(config.optimizer, total_steps),
    )


def _network(m: Model, spec: DataSpec, precision: str) -> nn.Module:
    dtype, classes = compute_dtype(precision), spec.num_classes if m.conditional else 0
    if m.network == "mlp":
        return TimeMLP(m.hidden, m.features, classes, m.activation, m.norm, dtype, m.frequencies)
    return UNet(
        m.channels, m.blocks, m.patch, m.attention, m.features, classes, m.conv_lowering, dtype
    )


def _check(model: Model, sampler: Sampler, config: ConfigDict, spec: DataSpec) -> None:
    if model.conditional and not spec.num_classes:
        raise fail("model.conditional", True, f"data.name={config.data.name} has no labels")
    if sampler.guidance != 1 and not model.conditional:
        raise fail("sampler.guidance", sampler.guidance, "must be 1 with model.conditional=False")
    if sampler.guidance != 1 and not config.loss.label_dropout:
        message = "must be 1 with loss.label_dropout=0, which leaves no class untaught"
        raise fail("sampler.guidance", sampler.guidance, message)
