"""The dense autoencoder in PyTorch: data in memory, indexed by a random permutation, no loader."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.child import Timed
from benchmarks.peers.torch_loop import described, settle

# eager:         nn.Module, autograd, fused Adam: the usual loop at its best.
# compiled:      the loss (and so its gradient) through torch.compile, fused Adam.
# compiled_step: the whole update, Adam written out, as one compiled function.
MODES = ("eager", "compiled", "compiled_step")


def network(encoder: Sequence[int], decoder: Sequence[int]) -> nn.Module:
    """Layers of the given widths with ReLU between, a linear code, logits out."""

    def half(widths: Sequence[int]) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for k, n in pairwise(widths):
            layers += [nn.Linear(k, n), nn.ReLU()]
        return layers[:-1]

    return nn.Sequential(*half(encoder), *half(decoder))


def dense(mode: str, epochs: int, *, size: int, hidden: Sequence[int], latent_dim: int,
          num_examples: int, batch_size: int, learning_rate: float,
          masking: float = 0.0) -> Timed:  # fmt: skip
    """The rows `autoencoder_torch` and, with `masking`, `denoising_autoencoder`.

    `epochs` a run, of whole batches only.
    """
    settle(mode, MODES)
    model = network([size, *hidden, latent_dim], [latent_dim, *reversed(hidden), size])
    update = updater(mode, model, learning_rate, masking)
    data = torch.rand(num_examples, size)

    def run() -> None:
        for _ in range(epochs):
            order = torch.randperm(num_examples)
            for i in range(num_examples // batch_size):
                update(data[order[i * batch_size : (i + 1) * batch_size]])

    for _ in range(3):
        update(data[:batch_size])
    run()
    return Timed(run, units=epochs, info=described(mode))


def updater(mode: str, model: nn.Module, learning_rate: float,
            masking: float = 0.0) -> Callable[[Tensor], object]:  # fmt: skip
    """A function that updates `model` with one batch, in one of `MODES`.

    With `masking`, each element of the input (not of the target) is 0 with that probability.
    """
    return minimizer(mode, _CrossEntropy(model, masking), learning_rate)


class _CrossEntropy(nn.Module):
    def __init__(self, model: nn.Module, masking: float):
        super().__init__()
        self.model, self.masking = model, masking

    def forward(self, x: Tensor) -> Tensor:
        masked = x * (torch.rand_like(x) >= self.masking) if self.masking else x
        return functional.binary_cross_entropy_with_logits(self.model(masked), x)


def minimizer(mode: str, objective: nn.Module, learning_rate: float) -> Callable[[Tensor], object]:
    """A function that updates the parameters of `objective`, whose output is the loss of a batch.

    Args:
      mode: one of `MODES`.
      objective: batch to loss.
      learning_rate: of Adam.
    """
    if mode == "compiled_step":
        return _whole_step(objective, learning_rate)
    if mode not in MODES:
        raise ValueError(f"mode={mode!r}: must be one of {', '.join(MODES)}")
    optimizer = torch.optim.Adam(objective.parameters(), learning_rate, fused=True)
    loss = torch.compile(objective) if mode == "compiled" else objective

    def update(x: Tensor) -> None:
        optimizer.zero_grad()
        loss(x).backward()
        optimizer.step()

    return update


def _whole_step(objective: nn.Module, learning_rate: float, b1: float = 0.9, b2: float = 0.999,
                eps: float = 1e-8) -> Callable[[Tensor], object]:  # fmt: skip
    names = [name for name, _ in objective.named_parameters()]
    params = [p.detach() for p in objective.parameters()]
    first, second = [torch.zeros_like(p) for p in params], [torch.zeros_like(p) for p in params]
    step = torch.zeros(())

    def loss(params: list[Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(objective, dict(zip(names, params)), x)

    @torch.compile
    def update(params: list[Tensor], first: list[Tensor], second: list[Tensor], step: Tensor,
               x: Tensor) -> None:  # fmt: skip
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
