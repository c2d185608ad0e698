"""The networks of the family `gan`: dense, DCGAN's convolutions, residual ones; their uses."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core.family import DataSpec, Family, State, compute_dtype
from genjax.families._gan_fields import Model
from genjax.models.convnets import ConvDecoder, ConvEncoder
from genjax.models.dense import MLP
from genjax.models.features import watched
from genjax.models.minibatch import pack
from genjax.models.r3gan import R3Critic, R3Generator
from genjax.models.resnet import ResNetCritic, ResNetGenerator
from genjax.ops.spectral import spectrally_normalized


@dataclass(frozen=True, kw_only=True, eq=False)
class Players(Family):
    """A generator and a critic, and what they are used for.

    Samples are drawn with the generator's moving average where `ema_decay` is above 0, and with
    the running statistics of batch norm where the generator has one. Those of the critic are of
    real examples; evaluation and `score` use them. A conditional model draws its classes in turn.
    """

    model: Model
    generator: nn.Module
    critic: nn.Module

    def generate(
        self,
        params: Any,
        variables: Any,
        z_BxZ: jax.Array,
        label_B: jax.Array | None = None,
        *,
        train: bool,
    ) -> tuple[jax.Array, Any]:
        """Computes standardized examples (B, …) of latents, and the updated batch statistics."""
        x, updated = self.generator.apply(
            {"params": params, **variables},
            z_BxZ,
            *self.labels(label_B),
            train=train,
            mutable=["batch_stats"] if train else [],
        )
        return (jnp.tanh(x) if self.spec.kind == "image" else x).astype(jnp.float32), updated

    def judge(
        self,
        params: Any,
        variables: Any,
        x: jax.Array,
        label_B: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> tuple[jax.Array, Any]:
        """Computes scores of packed, standardized examples, and the updated batch statistics."""
        score_B, _, updated = self.judge_and_classify(params, variables, x, label_B, train=train)
        return score_B, updated

    def judge_and_classify(
        self,
        params: Any,
        variables: Any,
        x: jax.Array,
        label_B: jax.Array | None = None,
        *,
        train: bool = False,
    ) -> tuple[jax.Array, jax.Array | None, Any]:
        """Computes as `judge` does, and between its two the logits of an auxiliary classifier."""
        statistics = {name: v for name, v in variables.items() if name != "spectral"}
        if self.model.spectral_norm:
            params = spectrally_normalized(params, variables["spectral"])
        found, updated = self.critic.apply(
            {"params": params, **statistics},
            x,
            *self.labels(label_B),
            train=train,
            mutable=["batch_stats"],
        )
        score_B, logits_BxC = found if self.model.auxiliary else (found, None)
        return score_B.astype(jnp.float32), logits_BxC, updated

    def labels(self, label_B: jax.Array | None) -> tuple[jax.Array, ...]:
        """Returns the labels that networks take, which those of an unconditional model do not."""
        if not self.model.conditional:
            return ()
        if label_B is None:
            raise ValueError("label_B: missing; a conditional model needs one for each example")
        return (label_B,)

    def decode(self, state: State, z_BxZ: jax.Array, label_B: Any = None) -> jax.Array:
        """Decodes latents (B, latent_dim): examples (B, …) in the range of the data."""
        if self.model.conditional and label_B is None:
            label_B = jnp.arange(len(z_BxZ)) % self.spec.num_classes
        params, variables = state.eval_params["generator"], state.variables["generator"]
        x, _ = self.generate(params, variables, z_BxZ, label_B, train=False)
        return x * self.spec.scale + self.spec.center

    def sample(self, state: State, key: jax.Array, n: int) -> jax.Array:
        """Draws `n` examples."""
        return self.decode(state, jax.random.normal(key, (n, self.model.latent_dim)))

    def sample_at(self, state: State, key: jax.Array, label_B: jax.Array) -> jax.Array:
        """Draws an example (B, …) of each label."""
        z_BxZ = jax.random.normal(key, (len(label_B), self.model.latent_dim))
        return self.decode(state, z_BxZ, label_B)

    def score(self, state: State, x: jax.Array, label_B: Any = None) -> jax.Array:
        """Computes the critic's scores (B / pack,) of examples (B, …) in the range of the data."""
        x = pack(self.standard(x), self.model.pack)
        return self.judge(state.params["critic"], state.variables["critic"], x, label_B)[0]

    def features(self, state: State, x: jax.Array, label_B: Any = None) -> dict[str, jax.Array]:
        """Computes the hidden layers of the critic, (B / pack, …) each, of examples (B, …)."""
        watching, layers = watched(self, critic="critic")
        watching.score(state, x, label_B)
        return layers

    def standard(self, x: jax.Array) -> jax.Array:
        """Standardizes examples."""
        return (x - self.spec.center) / self.spec.scale


def make_generator(m: Model, spec: DataSpec, precision: str) -> nn.Module:
    """Makes the network from latents (B, latent_dim) to (B, *spec.shape), images before tanh."""
    classes = spec.num_classes if m.conditional else 0
    convolutions: dict[str, Any] = {"lowering": m.conv_lowering, "dtype": compute_dtype(precision)}
    if m.network == "r3gan":
        size = m.group_size
        return R3Generator(m.generator_channels, spec.shape, size, classes, **convolutions)
    options: dict[str, Any] = {"activation": m.generator_activation, "norm": m.generator_norm}
    if m.network == "mlp":
        return MLP(m.generator_hidden, spec.shape, dtype=compute_dtype(precision), **options)
    options |= convolutions
    if m.network == "conv":
        return ConvDecoder(m.generator_channels, spec.shape, **options)
    options |= {"resampling": m.resampling, "attention": m.attention}
    return ResNetGenerator(m.generator_channels, spec.shape, classes, **options)


def make_critic(m: Model, spec: DataSpec, precision: str) -> nn.Module:
    """Makes the network from (packed) examples (B, …) to scores (B,)."""
    convolutions: dict[str, Any] = {"lowering": m.conv_lowering, "dtype": compute_dtype(precision)}
    classes: dict[str, Any] = {}
    if m.conditional:
        classes = {"condition": m.condition, "num_classes": spec.num_classes}
    if m.network == "r3gan":
        return R3Critic(m.critic_channels, m.group_size, **classes, **convolutions)
    options: dict[str, Any] = {
        "activation": m.critic_activation,
        "norm": m.critic_norm,
        "minibatch_stddev": m.minibatch_stddev,
    }
    if m.network == "mlp":
        return MLP(m.critic_hidden, dtype=compute_dtype(precision), **options)
    options |= convolutions
    if m.network == "conv":
        return ConvEncoder(m.critic_channels, **options)
    options |= {"resampling": m.resampling, "attention": m.attention}
    return ResNetCritic(m.critic_channels, m.plain_blocks, **classes, **options)
