"""The dense semi-supervised VAE, M2, in PyTorch: data in memory, no loader."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import adam, batches, dense, minimizer, settle, timed_updates


class Weights(NamedTuple):
    """Of the classifier's error, and of the bounds of examples with and without labels."""

    alpha: float
    labeled: float
    unlabeled: float


class Objective(nn.Module):
    """unlabeled U + labeled L + alpha (-log q(y|x)), means over examples; Bernoulli pixels."""

    def __init__(
        self, size: int, hidden: Sequence[int], latent_dim: int, classes: int, weights: Weights
    ):
        super().__init__()
        self.encoder = nn.Sequential(*dense([size + classes, *hidden, 2 * latent_dim]))
        self.decoder = nn.Sequential(*dense([latent_dim + classes, *reversed(hidden), size]))
        self.classifier = nn.Sequential(*dense([size, *hidden, classes]))
        self.classes, self.weights = classes, weights

    def forward(self, x: Tensor, labeled: Tensor, label: Tensor) -> Tensor:
        """Computes the loss of batches (B, size), of which one has labels (B,)."""
        w = self.weights
        error = functional.cross_entropy(self.classifier(labeled), label)
        bound = self.labeled_bound(labeled, functional.one_hot(label, self.classes)).mean()
        return w.alpha * error + w.labeled * bound + w.unlabeled * self.unlabeled_bound(x).mean()

    def labeled_bound(self, x: Tensor, y: Tensor, noise: Tensor | None = None) -> Tensor:
        """Computes L(x, y), (B,), of one-hot classes (B, C)."""
        mean, log_variance = self.encoder(torch.cat([x, y.to(x.dtype)], 1)).chunk(2, dim=1)
        noise = torch.randn_like(mean) if noise is None else noise
        z = mean + torch.exp(0.5 * log_variance) * noise
        logits = self.decoder(torch.cat([z, y.to(x.dtype)], 1))
        nll = functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
        kl = -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(1)
        return nll + kl + math.log(self.classes)

    def unlabeled_bound(self, x: Tensor) -> Tensor:
        """Computes U(x), (B,); all classes of an example share its noise."""
        latent_dim = self.encoder[-1].out_features // 2
        noise = torch.randn(len(x), latent_dim).repeat_interleave(self.classes, 0)
        y = torch.eye(self.classes).repeat(len(x), 1)
        several = x.repeat_interleave(self.classes, 0)
        bound = self.labeled_bound(several, y, noise).view(len(x), self.classes)
        log_q = functional.log_softmax(self.classifier(x), 1)
        return (log_q.exp() * (bound + log_q)).sum(1)


def m2(
    mode: str,
    iterations: int,
    *,
    size: int,
    hidden: Sequence[int],
    latent_dim: int,
    classes: int,
    num_labeled: int,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
    alpha: float,
    labeled_weight: float,
    unlabeled_weight: float,
) -> Timed:
    """Sets up the row `m2_torch`: `iterations` updates a run."""
    settle(mode)
    weights = Weights(alpha, labeled_weight, unlabeled_weight)
    objective = Objective(size, hidden, latent_dim, classes, weights)
    update = minimizer(mode, objective, adam(objective, learning_rate))
    x, label = torch.rand(num_examples, size), torch.randint(0, classes, (num_labeled,))
    all_rows = batches(torch.arange(num_examples), batch_size)
    labeled_rows = batches(torch.arange(num_labeled), batch_size)

    def step() -> None:
        rows = next(labeled_rows)
        update(x[next(all_rows)], x[rows], label[rows])

    return timed_updates(step, iterations, mode)
