"""WGAN-GP in PyTorch, with explicit modes: see `MODES`. One iteration does what genjax's step does.

Beside the textbook loop, the peer gets what makes it faster at the same arithmetic: fakes without a
graph in critic updates, one critic pass over real and fake, no critic weight gradients in the
generator's update, fused Adam, data in memory as float32, denormals flushed.
"""

import functools
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import adam, autocast, compiled, feed, settle, timed_updates

# eager:      double backward through autograd (`create_graph=True`).
# compiled:   torch.compile of the whole critic loss with both its gradients, written with
#             `torch.func.grad` because torch.compile refuses to differentiate a compiled function
#             twice; and of the generator's loss. Optimizers are the fused ones.
# partly:     torch.compile of the networks where they are differentiated once; the penalty eager.
# functional: `compiled` without the compiler.
# *_forward:  the penalty's parameter gradient by forward over reverse (a jvp) instead.
# *_channels_last: convolutions in the memory format that oneDNN likes.
MODES = ("eager", "compiled", "partly", "functional", "compiled_forward",
         "eager_channels_last", "compiled_channels_last")  # fmt: skip


def mlp_networks(
    latent_dim: int,
    generator_hidden: Sequence[int],
    critic_hidden: Sequence[int],
    size: int,
    norm: bool = True,
) -> tuple[nn.Module, nn.Module]:
    """Makes a generator (B, latent) to (B, size) in [-1, 1], and a critic to (B, 1)."""
    layers: list[nn.Module] = []
    for k, n in zip([latent_dim, *generator_hidden], generator_hidden):
        layers += [nn.Linear(k, n), *[nn.BatchNorm1d(n)] * norm, nn.LeakyReLU(0.2)]
    generator = nn.Sequential(*layers, nn.Linear(generator_hidden[-1], size), nn.Tanh())
    layers = []
    for k, n in zip([size, *critic_hidden], critic_hidden):
        layers += [nn.Linear(k, n), nn.LeakyReLU(0.2)]
    return generator, nn.Sequential(*layers, nn.Linear(critic_hidden[-1], 1))


def conv_networks(
    latent_dim: int, channels: Sequence[int], height: int, colors: int = 1, norm: bool = False
) -> tuple[nn.Module, nn.Module]:
    """Generator (B, latent) to (B, colors, height, height) in [-1, 1]; a mirrored critic to (B, 1).

    With `norm`, batch norm in both, where DCGAN has it: not on the critic's first convolution.
    """
    side, widths = height // 2 ** len(channels), [*reversed(channels), colors]
    layers: list[nn.Module] = [
        nn.Linear(latent_dim, widths[0] * side * side),
        nn.Unflatten(1, (widths[0], side, side)),
    ]
    for k, n in pairwise(widths):
        layers += [*[nn.BatchNorm2d(k)] * norm, nn.ReLU(), nn.ConvTranspose2d(k, n, 4, 2, 1)]
    generator = nn.Sequential(*layers, nn.Tanh())
    layers = []
    for i, (k, n) in enumerate(zip([colors, *channels], channels)):
        batch_norm = [nn.BatchNorm2d(n)] * (norm and i > 0)
        layers += [nn.Conv2d(k, n, 4, 2, 1), *batch_norm, nn.LeakyReLU(0.2)]
    return generator, nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels[-1] * side**2, 1))


class _Up(nn.Module):
    """A block of Gulrajani et al. 2017 that doubles the picture."""

    def __init__(self, k: int, n: int):
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(k), nn.BatchNorm2d(n)])
        self.convolutions = nn.ModuleList([nn.Conv2d(k, n, 3, 1, 1), nn.Conv2d(n, n, 3, 1, 1)])
        self.short = nn.Conv2d(k, n, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, k, H, W) to (B, n, 2 H, 2 W)."""
        double = nn.functional.interpolate
        h = self.convolutions[0](double(self.norms[0](x).relu(), scale_factor=2.0))
        h = self.convolutions[1](self.norms[1](h).relu())
        return h + double(self.short(x), scale_factor=2.0)


class _Down(nn.Module):
    """A block that halves the picture, or leaves its size; `first` sees pixels."""

    def __init__(self, k: int, n: int, *, first: bool = False, plain: bool = False):
        super().__init__()
        self.convolutions = nn.ModuleList([nn.Conv2d(k, n, 3, 1, 1), nn.Conv2d(n, n, 3, 1, 1)])
        self.short: nn.Module = nn.Identity() if plain else nn.Conv2d(k, n, 1)
        self.pool: nn.Module = nn.Identity() if plain else nn.AvgPool2d(2)
        self.first = first

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, k, H, W) to (B, n, H / 2, W / 2), or of the same size."""
        h = self.convolutions[0](x if self.first else x.relu())
        return self.pool(self.convolutions[1](h.relu())) + self.short(self.pool(x))


class _Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, n, H, W) to (B, n)."""
        return x.relu().mean((2, 3))


def resnet_networks(
    latent_dim: int,
    channels: Sequence[int],
    height: int,
    colors: int = 1,
    critic_channels: Sequence[int] = (),
) -> tuple[nn.Module, nn.Module]:
    """The residual networks of Gulrajani et al. 2017, with two blocks that do not halve.

    The critic has the generator's channels where `critic_channels` are not given.
    """
    side, widths = height // 2 ** len(channels), [channels[-1], *reversed(channels)]
    generator = nn.Sequential(
        nn.Linear(latent_dim, widths[0] * side * side),
        nn.Unflatten(1, (widths[0], side, side)),
        *[_Up(k, n) for k, n in pairwise(widths)],
        nn.BatchNorm2d(widths[-1]),
        nn.ReLU(),
        nn.Conv2d(widths[-1], colors, 3, 1, 1),
        nn.Tanh(),
    )
    widths = [colors, *(critic_channels or channels)]
    last = widths[-1]
    halving = [_Down(k, n, first=i == 0) for i, (k, n) in enumerate(pairwise(widths))]
    plain = [_Down(last, last, plain=True) for _ in range(2)]
    return generator, nn.Sequential(*halving, *plain, _Mean(), nn.Linear(last, 1))


def functional_critic_loss(
    score: Callable[[Tensor], Tensor],
    real: Tensor,
    fake: Tensor,
    position: Tensor,
    penalty_weight: float,
    forward: bool,
) -> Tensor:
    """Computes the critic's loss; with `forward` only its gradient is right, not its value."""
    x = torch.lerp(fake, real, _rows(position, fake))
    gradient = torch.func.grad(lambda inputs: score(inputs).sum())(x)
    if forward:
        gradient = gradient.detach()
        norm = _norm(gradient)
        direction = _rows(2 * (norm - 1) / norm / len(x), gradient) * gradient
        penalty = torch.func.jvp(score, (x,), (direction,))[1].sum()
    else:
        penalty = (_norm(gradient) - 1).square().mean()
    return _wasserstein(score, real, fake) + penalty_weight * penalty


def _wasserstein(score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> Tensor:
    real_score, fake_score = score(torch.cat([real, fake])).chunk(2)
    return fake_score.mean() - real_score.mean()


def _norm(gradient: Tensor) -> Tensor:
    return (gradient.flatten(1).square().sum(1) + 1e-12).sqrt()


def _rows(value: Tensor, like: Tensor) -> Tensor:
    return value.view(-1, *[1] * (like.ndim - 1))


class Trainer:
    """Networks, optimizers and data, and `iteration`, which updates both networks.

    Args:
      generator, critic: the networks.
      data: (N, …), in [-1, 1].
      mode: one of `MODES`.
      batch_size, n_critic, latent_dim, penalty_weight, learning_rate, b1, b2: of the recipe.
      precision: of products.
    """

    def __init__(
        self,
        generator: nn.Module,
        critic: nn.Module,
        data: Tensor,
        mode: str,
        *,
        batch_size: int,
        n_critic: int,
        latent_dim: int,
        penalty_weight: float,
        learning_rate: float,
        b1: float,
        b2: float,
        precision: str = "float32",
    ):
        if "channels_last" in mode:
            generator, critic, data = (
                a.to(memory_format=torch.channels_last) for a in (generator, critic, data)
            )
        self.generator, self.critic, self.data = generator, critic, data
        self.batch_size, self.n_critic, self.latent_dim = batch_size, n_critic, latent_dim
        self.weight, self.forward = penalty_weight, "forward" in mode
        self.g_optimizer = adam(generator, learning_rate, betas=(b1, b2))
        self.d_optimizer = adam(critic, learning_rate, betas=(b1, b2))
        self.real, self.device = feed(data, batch_size, mode), data.device
        eager = not mode.startswith(("compiled", "functional"))
        gradients = self._eager_gradients if eager else self._functional_gradients
        self.critic_gradients: Any = autocast(gradients, data.device.type, precision)
        self.generator_loss: Any = autocast(self._generator_loss, data.device.type, precision)
        self.generate: Any = generator
        self.score: Any = critic
        if mode == "partly":
            self.generate, self.score = torch.compile(generator), torch.compile(critic)
            self.generator_loss = torch.compile(self.generator_loss)
        else:
            self.critic_gradients = compiled(mode, self.critic_gradients)
            self.generator_loss = compiled(mode, self.generator_loss)

    def iteration(self) -> None:
        """Makes `n_critic` critic updates and one generator update."""
        for _ in range(self.n_critic):
            position = torch.rand(self.batch_size, device=self.device)
            self.critic_update(self.real(), self._noise(), position)
        self.generator_update(self._noise())

    def _noise(self) -> Tensor:
        return torch.randn(self.batch_size, self.latent_dim, device=self.device)

    def _generator_loss(self, z: Tensor) -> Tensor:
        return -self.critic(self.generator(z)).mean()

    def critic_update(self, real: Tensor, z: Tensor, position: Tensor) -> None:
        """Makes one update with the given data and noise."""
        gradients = self.critic_gradients(real, z, position)
        for p, gradient in zip(self.critic.parameters(), gradients):
            p.grad = gradient
        self.d_optimizer.step()

    def generator_update(self, z: Tensor) -> None:
        """Makes one update with the given noise."""
        self.critic.requires_grad_(False)
        self.g_optimizer.zero_grad()
        self.generator_loss(z).backward()
        self.g_optimizer.step()
        self.critic.requires_grad_(True)

    def _eager_gradients(self, real: Tensor, z: Tensor, position: Tensor) -> tuple[Tensor, ...]:
        with torch.no_grad():
            fake = self.generate(z).to(real.dtype)  # which autocast narrows
        # `partly` scores real and fake compiled; what is differentiated twice must stay eager.
        x = torch.lerp(fake, real, _rows(position, fake)).requires_grad_()
        (gradient,) = torch.autograd.grad(self.critic(x).sum(), x, create_graph=True)
        penalty = (_norm(gradient) - 1).square().mean()
        loss = _wasserstein(self.score, real, fake) + self.weight * penalty
        return torch.autograd.grad(loss, tuple(self.critic.parameters()))

    def _functional_gradients(
        self, real: Tensor, z: Tensor, position: Tensor
    ) -> tuple[Tensor, ...]:
        with torch.no_grad():
            fake = self.generator(z).to(real.dtype)

            def loss(params: dict[str, Tensor]) -> Tensor:
                def score(x: Tensor) -> Tensor:
                    return torch.func.functional_call(self.critic, params, x)

                return functional_critic_loss(
                    score, real, fake, position, self.weight, self.forward
                )

            return tuple(torch.func.grad(loss)(dict(self.critic.named_parameters())).values())


def mlp(
    mode: str,
    iterations: int,
    *,
    latent_dim: int,
    generator_hidden: Sequence[int],
    critic_hidden: Sequence[int],
    height: int,
    num_examples: int,
    device: str = "cpu",
    **recipe: Any,
) -> Timed:
    """Sets up the row `wgan_gp_mlp`: `iterations` a run."""
    settle(mode, MODES, device=device)
    size = height**2
    with torch.device(device):
        networks = mlp_networks(latent_dim, generator_hidden, critic_hidden, size)
        data = torch.rand(num_examples, size) * 2 - 1
    trainer = Trainer(*networks, data, mode, latent_dim=latent_dim, **recipe)
    return timed_updates(trainer.iteration, iterations, mode, device=device)


def conv(
    mode: str,
    iterations: int,
    *,
    latent_dim: int,
    channels: Sequence[int],
    height: int,
    num_examples: int,
    colors: int = 1,
    networks: Callable[..., tuple[nn.Module, nn.Module]] = conv_networks,
    device: str = "cpu",
    **recipe: Any,
) -> Timed:
    """Sets up the rows `wgan_gp_conv` and `wgan_gp_64`: `iterations` a run."""
    settle(mode, MODES, device=device)
    with torch.device(device):
        pair = networks(latent_dim, channels, height, colors)
        data = torch.rand(num_examples, colors, height, height) * 2 - 1
    trainer = Trainer(*pair, data, mode, latent_dim=latent_dim, **recipe)
    return timed_updates(trainer.iteration, iterations, mode, device=device)


def resnet(mode: str, iterations: int, critic_channels: Sequence[int] = (), **recipe: Any) -> Timed:
    """Sets up the row `wgan_gp_resnet`."""
    networks = functools.partial(resnet_networks, critic_channels=critic_channels)
    return conv(mode, iterations, networks=networks, **recipe)
