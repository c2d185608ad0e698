"""The dense VAE and importance weighted autoencoder in PyTorch: data in memory, no loader."""

import math
from collections.abc import Sequence
from itertools import islice, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_autoencoder import MODES, by_adam
from benchmarks.peers.torch_loop import batches, described, feed, settle, timed_updates
from benchmarks.peers.torch_loop import dense as layers


class Bound(nn.Module):
    """Minus the bound on log p(x), summed over pixels and latents, averaged over the batch.

    The evidence lower bound with an analytic KL, or with more than one draw the importance
    weighted bound; Bernoulli pixels, a standard normal prior.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module, draws: int = 1):
        super().__init__()
        self.encoder, self.decoder, self.draws = encoder, decoder, draws

    def forward(self, x: Tensor) -> Tensor:
        """Computes the loss of a batch (B, size)."""
        mean, log_variance = self.encoder(x).chunk(2, dim=-1)
        if self.draws > 1:
            return -self.importance_bound(x, mean, log_variance, self.draws).mean()
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        cross_entropy = functional.binary_cross_entropy_with_logits(
            self.decoder(z), x, reduction="sum"
        )
        kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum()
        return (cross_entropy + kl) / len(x)

    def importance_bound(self, x: Tensor, mean: Tensor, log_variance: Tensor, k: int) -> Tensor:
        """Computes the importance weighted bound of k draws, (B,)."""
        noise = torch.randn(k, *mean.shape, device=mean.device)
        z = mean + torch.exp(0.5 * log_variance) * noise
        logits = self.decoder(z)
        log_likelihood = -functional.binary_cross_entropy_with_logits(
            logits, x.expand_as(logits), reduction="none"
        ).sum(-1)
        ratio = 0.5 * (noise.square() + log_variance - z.square()).sum(-1)
        return torch.logsumexp(log_likelihood + ratio, dim=0) - math.log(k)


def dense_bound(size: int, hidden: Sequence[int], latent_dim: int, draws: int = 1) -> Bound:
    """Makes the bound of dense networks."""
    decoder = nn.Sequential(*layers([latent_dim, *reversed(hidden), size]))
    return Bound(nn.Sequential(*layers([size, *hidden, 2 * latent_dim])), decoder, draws)


def conv_bound(height: int, channels: Sequence[int], latent_dim: int) -> Bound:
    """Makes the bound of convolutions 4x4 of stride 2 and their mirror image; gray images."""
    side = height // 2 ** len(channels)
    inner = (channels[-1], side, side)
    down: list[nn.Module] = [nn.Unflatten(1, (1, height, height))]
    up: list[nn.Module] = [nn.Linear(latent_dim, math.prod(inner)), nn.Unflatten(1, inner)]
    for k, n in pairwise([1, *channels]):
        down += [nn.Conv2d(k, n, 4, 2, 1), nn.ReLU()]
    for k, n in pairwise([*reversed(channels), 1]):
        up += [nn.ReLU(), nn.ConvTranspose2d(k, n, 4, 2, 1)]
    down += [nn.Flatten(), nn.Linear(math.prod(inner), 2 * latent_dim)]
    return Bound(nn.Sequential(*down), nn.Sequential(*up, nn.Flatten()))


def train_and_judge(
    train: np.ndarray,
    test: np.ndarray,
    *,
    network: str,
    hidden: Sequence[int],
    channels: Sequence[int],
    latent_dim: int,
    batch_size: int,
    learning_rate: float,
    epochs: int,
    draws: int,
    seed: int,
) -> tuple[float, float]:
    """Trains on gray images (N, H, W, 1), binarized anew each time, with the compiled loss.

    Returns:
      The mean ELBO and importance weighted bound of `draws` draws on `test`, in nats.
    """
    settle(seed=seed)
    size, height = math.prod(train.shape[1:]), train.shape[1]
    if network == "conv":
        bound = conv_bound(height, channels, latent_dim)
    else:
        bound = dense_bound(size, hidden, latent_dim)
    update = by_adam("compiled", bound, learning_rate)
    x, held_out = (torch.from_numpy(a.reshape(len(a), -1)) for a in (train, test))
    for rows in islice(batches(x, batch_size), epochs * (len(x) // batch_size)):
        update(torch.bernoulli(rows))
    totals = torch.zeros(2, dtype=torch.float64)
    with torch.inference_mode():
        for gray in held_out.split(500):
            totals += torch.stack(_bounds(bound, torch.bernoulli(gray), draws)).double()
    elbo, importance = (totals / len(held_out)).tolist()
    return elbo, importance


def _bounds(bound: Bound, x: Tensor, draws: int) -> tuple[Tensor, Tensor]:
    """Sums both bounds over the batch; the ELBO's reconstruction is a mean of draws."""
    mean, log_variance = bound.encoder(x).chunk(2, dim=-1)
    kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(-1)
    likelihoods, weights = [], []
    for _ in range(draws):
        noise = torch.randn_like(mean)
        z = mean + torch.exp(0.5 * log_variance) * noise
        likelihood = -functional.binary_cross_entropy_with_logits(
            bound.decoder(z), x, reduction="none"
        ).sum(-1)
        likelihoods.append(likelihood)
        weights.append(likelihood + 0.5 * (noise.square() + log_variance - z.square()).sum(-1))
    elbo = torch.stack(likelihoods).mean(0) - kl
    importance = torch.logsumexp(torch.stack(weights), 0) - math.log(draws)
    return elbo.sum(), importance.sum()


def dense(mode: str, epochs: int, **settings: Any) -> Timed:
    """Sets up the row `vae_torch`: `epochs` a run, of whole batches only."""
    updates = settings["num_examples"] // settings["batch_size"]
    return _updates(mode, epochs * updates, epochs, **settings)


def iwae(mode: str, iterations: int, **settings: Any) -> Timed:
    """Sets up the row `iwae`: `iterations` updates a run."""
    return _updates(mode, iterations, iterations, **settings)


def samples(
    mode: str,
    iterations: int,
    *,
    num_samples: int,
    size: int,
    hidden: Sequence[int],
    latent_dim: int,
    **_: Any,
) -> Timed:
    """Sets up the row `vae_samples`: `iterations` times `num_samples` images a run."""
    settle()
    decoder = dense_bound(size, hidden, latent_dim).decoder
    decode = torch.compile(decoder) if mode == "compiled" else decoder

    @torch.inference_mode()
    def run() -> None:
        for _ in range(iterations):
            decode(torch.randn(num_samples, latent_dim)).sigmoid()

    run()
    return Timed(run, units=iterations, info=described(mode))


def _updates(
    mode: str,
    updates: int,
    units: int,
    *,
    size: int,
    hidden: Sequence[int],
    latent_dim: int,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
    importance_samples: int = 1,
    device: str = "cpu",
) -> Timed:
    settle(mode, MODES, device=device)
    with torch.device(device):
        bound = dense_bound(size, hidden, latent_dim, importance_samples)
        rows = feed(torch.rand(num_examples, size), batch_size, mode)
    update = by_adam(mode, bound, learning_rate)
    return timed_updates(lambda: update(rows()), updates, mode, units, device)
