"""The fields of the family `gan`, and which of them go together."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from genjax import losses
from genjax.core.config import Base, ConfigError, Optimizer, choose, fail
from genjax.core.family import DataSpec
from genjax.core.fields import field, subsection
from genjax.families._checks import check_halvings
from genjax.models.critic_head import CONDITIONS
from genjax.models.dense import ACTIVATIONS
from genjax.models.norms import NORMS
from genjax.models.resnet import RESAMPLINGS
from genjax.ops.conv import LOWERINGS

PENALTIES = ("none", "wgan_gp", "r1", "r2", "r1_r2", "dragan")


@dataclass(frozen=True)
class Model:
    """The section `model`."""

    network: str = field(
        "mlp", "of generator and critic", choices=("mlp", "conv", "resnet", "r3gan")
    )
    latent_dim: int = field(32, "numbers of a latent", ge=1)
    generator_hidden: tuple[int, ...] = field((256, 256), "mlp: widths of hidden layers", ge=1)
    critic_hidden: tuple[int, ...] = field((256, 256), "mlp: widths of hidden layers", ge=1)
    generator_channels: tuple[int, ...] = field(
        (64, 128), "not mlp: of each doubling, from the largest image on"
    )
    critic_channels: tuple[int, ...] = field(
        (64, 128), "not mlp: of each halving, from the largest image on"
    )
    plain_blocks: int = field(2, "resnet: of the critic, at its smallest image", ge=0)
    resampling: str = field(
        "mean", "resnet: of pixels to others; blur is free of aliases", choices=RESAMPLINGS
    )
    attention: int = field(
        0, "resnet: height of the images whose pixels attend to each other; 0: none", ge=0
    )
    group_size: int = field(16, "r3gan: channels that a 3x3 convolution joins", ge=1)
    conditional: bool = field(False, "resnet, r3gan: both networks see the label")
    condition: str = field(
        "projection", "how a critic sees the label, or else guesses it", choices=CONDITIONS[1:]
    )
    generator_activation: str = field("relu", "of hidden layers", choices=ACTIVATIONS)
    critic_activation: str = field("leaky_relu", "of hidden layers; maxout of an mlp alone")
    generator_norm: str = field("none", "of hidden layers", choices=NORMS)
    critic_norm: str = field("none", "of hidden layers; batch without a penalty", choices=NORMS)
    spectral_norm: bool = field(False, "of all weight matrices of the critic")
    minibatch_stddev: bool = field(
        False, "the critic sees how much a batch varies; without a penalty"
    )
    pack: int = field(1, "examples that the critic judges as one (PacGAN)")
    conv_lowering: str = field("auto", "how convolutions are computed", choices=LOWERINGS)

    @property
    def residual(self) -> bool:
        """Says whether the networks are residual ones."""
        return self.network in ("resnet", "r3gan")

    @property
    def auxiliary(self) -> bool:
        """Says whether the critic classifies as well."""
        return self.conditional and self.condition == "auxiliary"

    @property
    def mixes(self) -> bool:
        """Says whether the critic mixes the examples of a batch."""
        return self.critic_norm == "batch" or self.minibatch_stddev

    def check_rows(self, rows: float) -> None:
        """Raises `ConfigError` unless so many rows of a device are whole packs."""
        if rows % self.pack:
            raise fail(
                "model.pack", self.pack, f"must divide the rows of each device's part, {rows}"
            )


@dataclass(frozen=True)
class Loss:
    """The section `loss`."""

    adversarial: str = field(
        "wasserstein", "what the players minimize", choices=losses.ADVERSARIAL_LOSSES
    )
    label_smoothing: float = field(
        0.0, "real examples have the label 1 minus this (losses with labels)", ge=0, lt=1
    )
    instance_noise: float = field(
        0.0,
        "standard deviation of noise on all that the critic sees, falling to 0",
        ge=0,
        spans_run=True,
    )
    n_critic: int = field(3, "critic updates a generator update", ge=1)
    clip: float = field(0.0, "the critic's parameters stay within it; 0: no clipping", ge=0)
    penalty: str = field(
        "wgan_gp", "on the norm of the critic's gradient; r1 at real examples", choices=PENALTIES
    )
    penalty_weight: float = field(1.0, "lambda; of r1 and r2 gamma, as in gamma / 2", ge=0)
    penalty_every: int = field(
        1, "lazy penalty: only at every k-th critic update, k times as strong", ge=1
    )
    target: float = field(1.0, "of the gradient norm (wgan_gp, dragan)", ge=0)
    one_sided: bool = field(False, "punish only norms above the target (wgan_gp, dragan)")
    perturbation: float = field(
        0.5, "standard deviation of dragan's noise around real examples", ge=0
    )
    class_weight: float = field(1.0, "of an auxiliary classifier in the critic's loss", ge=0)
    generator_class_weight: float = field(
        0.1, "of an auxiliary classifier in the generator's loss", ge=0
    )
    penalty_precision: str = field(
        "auto",
        "of the penalty's products, by JAX's names; auto: high on TPU, else default",
        choices=("auto", "default", "high", "highest"),
    )
    formulation: str = field(
        "reverse_over_reverse",
        "how the penalty is differentiated: the same gradient",
        choices=losses.FORMULATIONS,
    )

    @property
    def players(self) -> losses.AdversarialLoss:
        """Returns the objectives of both players."""
        return losses.ADVERSARIAL_LOSSES[self.adversarial]

    @property
    def weight(self) -> float:
        """Returns the weight of the penalty, 0 without one."""
        return 0.0 if self.penalty == "none" else self.penalty_weight

    def clipped(self, params: Any) -> Any:
        """Clips the critic's parameters as `clip` says."""
        if not self.clip:
            return params
        return jax.tree.map(lambda p: jnp.clip(p, -self.clip, self.clip), params)


_LINEAR = {"learning_rate": 5e-4, "b1": 0.0, "b2": 0.9, "schedule": "linear"}


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with defaults for small images; `optimizer` is the generator's."""

    family: str = "gan"
    optimizer: Optimizer = subsection(Optimizer, **_LINEAR)
    model: Model = subsection(Model)
    loss: Loss = subsection(Loss)
    critic_optimizer: Optimizer = subsection(Optimizer, **_LINEAR)


def check(model: Model, loss: Loss, config: ConfigDict, spec: DataSpec) -> None:
    """Raises `ConfigError` for a field that another one, or the data, excludes."""
    activations = [*ACTIVATIONS, *["maxout"] * (model.network == "mlp")]
    choose("model.critic_activation", model.critic_activation, activations)
    if model.network != "mlp":
        for name in ("generator_channels", "critic_channels"):
            check_halvings(f"model.{name}", getattr(model, name), spec.shape)
    _check_residual(model, config, spec)
    if loss.label_smoothing and not loss.players.labeled:
        message = f"loss.adversarial={loss.adversarial} has no labels; must be 0"
        raise fail("loss.label_smoothing", loss.label_smoothing, message)
    _check_mixing(model, loss.penalty, config)


def _check_residual(m: Model, config: ConfigDict, spec: DataSpec) -> None:
    """Refuses what only residual networks have, and what they do not have."""
    if m.conditional and not m.residual:
        raise fail("model.conditional", True, "needs model.network=resnet or r3gan")
    if m.conditional and not spec.num_classes:
        raise fail("model.conditional", True, f"data.name={config.data.name} has no labels")
    if m.conditional and m.pack > 1:
        raise fail("model.pack", m.pack, "must be 1 with model.conditional=True")
    if m.network == "r3gan":
        for name in ("generator_norm", "critic_norm"):
            if getattr(m, name) != "none":
                message = "must be none with model.network=r3gan"
                raise fail(f"model.{name}", getattr(m, name), message)
        for name in ("minibatch_stddev", "spectral_norm"):  # kernels that begin at 0 have no norm
            if getattr(m, name):
                raise fail(f"model.{name}", True, "must be False with model.network=r3gan")
    if not m.attention:
        return
    if m.network != "resnet":
        raise fail("model.attention", m.attention, "must be 0 but with model.network=resnet")
    sizes = {
        name: [spec.shape[0] // 2 ** (i + first) for i in range(len(getattr(m, name)))]
        for name, first in (("generator_channels", 0), ("critic_channels", 1))
    }
    both = sorted(set(sizes["generator_channels"]) & set(sizes["critic_channels"]))
    if m.attention not in both:
        allowed = ", ".join(map(str, [0, *both]))
        raise fail("model.attention", m.attention, f"must be one of {allowed}, which both have")


def _check_mixing(m: Model, penalty: str, config: ConfigDict) -> None:
    """Refuses layers that mix examples where a penalty, or a part of a batch, needs them apart."""
    if m.critic_norm == "batch" and penalty != "none":
        message = "batch norm mixes examples and makes the penalty wrong; must be none or layer"
        raise fail("model.critic_norm", "batch", f"{message} with loss.penalty={penalty}")
    if m.minibatch_stddev and penalty != "none":
        message = "mixes examples and makes the penalty wrong; must be False"
        raise fail("model.minibatch_stddev", True, f"{message} with loss.penalty={penalty}")
    mixing = [
        f"model.{name}_norm=batch"
        for name in ("generator", "critic")
        if getattr(m, f"{name}_norm") == "batch"
    ]
    mixing += ["model.minibatch_stddev=True"] * m.minibatch_stddev
    if config.accumulate_steps > 1 and mixing:
        raise ConfigError(
            f"config.accumulate_steps={config.accumulate_steps}: a layer that mixes examples sees "
            f"only a part of the batch at a time; must be 1 with {mixing[0]}"
        )
    cut = max(("accumulate_steps", "elastic"), key=lambda name: int(config[name]))
    part = config.batch_size // max(1, config[cut])
    if m.pack < 1 or part % m.pack:
        parts = f"batch_size / {cut}" if config[cut] > 1 else "batch_size"
        raise fail("model.pack", m.pack, f"must be at least 1 and divide {parts}, {part}")
