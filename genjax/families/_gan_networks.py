"""The networks of the family `gan`: dense ones, or DCGAN's convolutions."""

from typing import Any

from flax import linen as nn

from genjax.core.family import DataSpec, compute_dtype
from genjax.families._gan_fields import Model
from genjax.models.convnets import ConvDecoder, ConvEncoder
from genjax.models.dense import MLP


def make_generator(m: Model, spec: DataSpec, precision: str) -> nn.Module:
    """Makes the network from latents (B, latent_dim) to (B, *spec.shape), images before tanh."""
    options: dict[str, Any] = {
        "activation": m.generator_activation,
        "norm": m.generator_norm,
        "dtype": compute_dtype(precision),
    }
    if m.network == "conv":
        return ConvDecoder(m.generator_channels, spec.shape, lowering=m.conv_lowering, **options)
    return MLP(m.generator_hidden, spec.shape, **options)


def make_critic(m: Model, precision: str) -> nn.Module:
    """Makes the network from (packed) examples (B, …) to scores (B,)."""
    options: dict[str, Any] = {
        "activation": m.critic_activation,
        "norm": m.critic_norm,
        "minibatch_stddev": m.minibatch_stddev,
        "dtype": compute_dtype(precision),
    }
    if m.network == "conv":
        return ConvEncoder(m.critic_channels, lowering=m.conv_lowering, **options)
    return MLP(m.critic_hidden, **options)
