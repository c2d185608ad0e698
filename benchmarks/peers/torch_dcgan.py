"""DCGAN in PyTorch, with explicit modes: see `MODES`. One iteration does what genjax's step does.

The networks, the data and what makes the loop fast are those of `torch_wgan_gp`; batch norm sees
real and generated examples apart, and the generator's update draws noise of its own.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from benchmarks.harness.child import Timed
from benchmarks.peers import torch_wgan_gp
from benchmarks.peers.torch_loop import settle, timed_updates
from benchmarks.peers.torch_wgan_gp import conv_networks

# compiled: torch.compile of both players' losses, their backward passes with them.
MODES = ("eager", "compiled", "eager_channels_last", "compiled_channels_last")


class Trainer(torch_wgan_gp.Trainer):
    """As there, with the non-saturating game; `mode` is one of `MODES`."""

    def __init__(
        self, generator: nn.Module, critic: nn.Module, data: Tensor, mode: str, **recipe: Any
    ):
        layout = mode.replace("compiled", "eager")
        super().__init__(generator, critic, data, layout, n_critic=1, penalty_weight=0.0, **recipe)
        self.critic_loss: Any = self._critic_loss
        self.generator_loss = self._generator_loss
        if mode.startswith("compiled"):
            self.critic_loss = torch.compile(self._critic_loss)
            self.generator_loss = torch.compile(self._generator_loss)

    def iteration(self) -> None:
        """Makes a critic update and a generator update."""
        z = torch.randn(2, self.batch_size, self.latent_dim)
        self.d_optimizer.zero_grad()
        self.critic_loss(self.real(), z[0]).backward()
        self.d_optimizer.step()
        self.generator_update(z[1])

    def _critic_loss(self, real: Tensor, z: Tensor) -> Tensor:
        with torch.no_grad():
            fake = self.generator(z)
        return softplus(-self.critic(real)).mean() + softplus(self.critic(fake)).mean()

    def _generator_loss(self, z: Tensor) -> Tensor:
        return softplus(-self.critic(self.generator(z))).mean()


def conv(
    mode: str,
    iterations: int,
    *,
    latent_dim: int,
    channels: Sequence[int],
    height: int,
    num_examples: int,
    **recipe: Any,
) -> Timed:
    """Sets up the row `dcgan`: `iterations` a run."""
    settle(mode, MODES)
    networks = conv_networks(latent_dim, channels, height, norm=True)
    data = torch.rand(num_examples, 1, height, height) * 2 - 1
    trainer = Trainer(*networks, data, mode, latent_dim=latent_dim, **recipe)
    return timed_updates(trainer.iteration, iterations, mode)
