"""The dense autoencoder in PyTorch: data in memory, indexed by a random permutation, no loader."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.child import Timed
from benchmarks.machine import cores

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
    torch.manual_seed(0)
    torch.set_num_threads(cores())
    torch.set_flush_denormal(True)
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
    settings = f"{mode}, {torch.get_num_threads()} threads, denormals flushed"
    return Timed(run, units=epochs, info={"settings": settings})


def updater(mode: str, model: nn.Module, learning_rate: float,
            masking: float = 0.0) -> Callable[[Tensor], object]:  # fmt: skip
    """A function that updates `model` with one batch, in one of `MODES`.

    With `masking`, each element of the input (not of the target) is 0 with that probability.
    """
    if mode == "compiled_step":
        return _whole_step(model, learning_rate, masking)
    if mode not in MODES:
        raise ValueError(f"mode={mode!r}: must be one of {', '.join(MODES)}")
    optimizer = torch.optim.Adam(model.parameters(), learning_rate, fused=True)

    def loss(x: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(model(_masked(x, masking)), x)

    objective = torch.compile(loss) if mode == "compiled" else loss

    def update(x: Tensor) -> None:
        optimizer.zero_grad()
        objective(x).backward()
        optimizer.step()

    return update


def _masked(x: Tensor, masking: float) -> Tensor:
    return x * (torch.rand_like(x) >= masking) if masking else x


def _whole_step(model: nn.Module, learning_rate: float, masking: float, b1: float = 0.9,
                b2: float = 0.999, eps: float = 1e-8) -> Callable[[Tensor], object]:  # fmt: skip
    names = [name for name, _ in model.named_parameters()]
    params = [p.detach() for p in model.parameters()]
    first, second = [torch.zeros_like(p) for p in params], [torch.zeros_like(p) for p in params]
    step = torch.zeros(())

    def loss(params: list[Tensor], x: Tensor) -> Tensor:
        inputs = _masked(x, masking)
        logits = torch.func.functional_call(model, dict(zip(names, params)), inputs)
        return functional.binary_cross_entropy_with_logits(logits, x)

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
