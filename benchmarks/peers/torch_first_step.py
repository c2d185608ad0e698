"""A minimal PyTorch WGAN-GP script, whose start is timed: it ends when its first step is done.

    python -m benchmarks.peers.torch_first_step IMAGES.npy '[256, 256]' 32 3 64

Arguments: images uint8 (N, …), hidden widths of both networks, latent size, critic updates a step,
batch size. Eager, as compiling would only delay the first step; two linear networks.
"""

import json
import sys
from itertools import pairwise

import numpy as np
import torch
from torch import nn


def networks(hidden: list[int], latent_dim: int, size: int) -> tuple[nn.Module, nn.Module]:
    """Generator and critic."""

    def mlp(widths: list[int], activation: nn.Module) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for k, n in pairwise(widths):
            layers += [nn.Linear(k, n), activation]
        return layers[:-1]

    generator = nn.Sequential(*mlp([latent_dim, *hidden, size], nn.ReLU()), nn.Tanh())
    return generator, nn.Sequential(*mlp([size, *hidden, 1], nn.LeakyReLU(0.2)))


def main(path: str, hidden: list[int], latent_dim: int, n_critic: int, batch_size: int) -> None:
    """One generator iteration."""
    images = np.load(path)
    data = torch.from_numpy(images.reshape(len(images), -1)).float() / 127.5 - 1
    generator, critic = networks(hidden, latent_dim, data.shape[1])
    g_optimizer = torch.optim.Adam(generator.parameters(), 5e-4, (0.0, 0.9))
    d_optimizer = torch.optim.Adam(critic.parameters(), 5e-4, (0.0, 0.9))
    for _ in range(n_critic):
        real = data[torch.randint(len(data), (batch_size,))]
        with torch.no_grad():
            fake = generator(torch.randn(batch_size, latent_dim))
        x = torch.lerp(fake, real, torch.rand(batch_size, 1)).requires_grad_()
        (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        penalty = ((gradient.square().sum(1) + 1e-12).sqrt() - 1).square().mean()
        d_optimizer.zero_grad()
        (critic(fake).mean() - critic(real).mean() + penalty).backward()
        d_optimizer.step()
    g_optimizer.zero_grad()
    (-critic(generator(torch.randn(batch_size, latent_dim))).mean()).backward()
    g_optimizer.step()
    print("first step done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]), *map(int, sys.argv[3:6]))
