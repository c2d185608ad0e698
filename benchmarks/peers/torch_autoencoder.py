"""The dense autoencoder in PyTorch: data in memory, indexed by a random permutation, no loader."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.harness.child import Timed
from benchmarks.peers.torch_loop import adam, batches, minimizer, settle, timed_updates
from benchmarks.peers.torch_loop import dense as layers

# eager:         nn.Module, autograd, fused Adam: the usual loop at its best.
# compiled:      the loss (and so its gradient) through torch.compile, fused Adam.
# compiled_step: the whole update, Adam written out, as one compiled function.
MODES = ("eager", "compiled", "compiled_step")


def network(encoder: Sequence[int], decoder: Sequence[int]) -> nn.Module:
    """Makes layers of the given widths with ReLU between, a linear code, logits out."""
    return nn.Sequential(*layers(encoder), *layers(decoder))


def dense(
    mode: str,
    epochs: int,
    *,
    size: int,
    hidden: Sequence[int],
    latent_dim: int,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
    masking: float = 0.0,
) -> Timed:
    """Sets up `autoencoder_torch` and, with `masking`, `denoising_autoencoder`: `epochs` a run."""
    settle(mode, MODES)
    model = network([size, *hidden, latent_dim], [latent_dim, *reversed(hidden), size])
    update = updater(mode, model, learning_rate, masking)
    rows = batches(torch.rand(num_examples, size), batch_size)
    updates = epochs * (num_examples // batch_size)
    return timed_updates(lambda: update(next(rows)), updates, mode, epochs)


def updater(
    mode: str, model: nn.Module, learning_rate: float, masking: float = 0.0
) -> Callable[[Tensor], None]:
    """Makes a function that updates `model` with one batch, in one of `MODES`.

    With `masking`, each element of the input (not of the target) is 0 with that probability.
    """
    return by_adam(mode, _CrossEntropy(model, masking), learning_rate)


class _CrossEntropy(nn.Module):
    def __init__(self, model: nn.Module, masking: float):
        super().__init__()
        self.model, self.masking = model, masking

    def forward(self, x: Tensor) -> Tensor:
        masked = x * (torch.rand_like(x) >= self.masking) if self.masking else x
        return functional.binary_cross_entropy_with_logits(self.model(masked), x)


def by_adam(mode: str, objective: nn.Module, learning_rate: float) -> Callable[[Tensor], None]:
    """Makes a function that updates `objective`, batch to loss, in one of `MODES`."""
    if mode.startswith("compiled_step"):
        return _whole_step(objective, learning_rate)
    return minimizer(mode, objective, adam(objective, learning_rate))


def _whole_step(
    objective: nn.Module,
    learning_rate: float,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> Callable[[Tensor], None]:
    names = [name for name, _ in objective.named_parameters()]
    params = [p.detach() for p in objective.parameters()]
    first, second = [torch.zeros_like(p) for p in params], [torch.zeros_like(p) for p in params]
    step = torch.zeros((), device=params[0].device)

    def loss(params: list[Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(objective, dict(zip(names, params)), x)

    @torch.compile
    def update(
        params: list[Tensor], first: list[Tensor], second: list[Tensor], step: Tensor, x: Tensor
    ) -> None:
        gradients = torch.func.grad(loss)(params, x)
        step += 1
        rate, scale = learning_rate / (1 - b1**step), 1 / (1 - b2**step)
        for p, m, v, g in zip(params, first, second, gradients):
            m.mul_(b1).add_(g, alpha=1 - b1)
            v.mul_(b2).add_(g * g, alpha=1 - b2)
            p.sub_(rate * m / ((v * scale).sqrt() + eps))

    def run(x: Tensor) -> None:
        with torch.no_grad():
            update(params, first, second, step, x)

    return run
