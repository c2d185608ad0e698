"""Losses as a library: arrays in, one value an example out, each a pure function to jit."""

from genjax.losses.adversarial import (
    FORMULATIONS,
    gradient_penalty,
    input_gradient_norm,
    input_gradient_penalty,
    interpolate,
    wasserstein_critic_loss,
    wasserstein_generator_loss,
)
from genjax.losses.reconstruction import bernoulli_cross_entropy, squared_error

__all__ = [
    "FORMULATIONS",
    "bernoulli_cross_entropy",
    "gradient_penalty",
    "input_gradient_norm",
    "input_gradient_penalty",
    "interpolate",
    "squared_error",
    "wasserstein_critic_loss",
    "wasserstein_generator_loss",
]
