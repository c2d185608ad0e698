"""The peer of continual learning minimizes what we do."""

import jax
import numpy as np
import pytest

from genjax import losses
from genjax.models.dense import MLP

torch = pytest.importorskip("torch", reason="pip install .[benchmarks]")


def test_the_gradient_of_replay_is_ours():
    from benchmarks.peers.torch_continual import CLASSES, Objective
    from benchmarks.peers.torch_loop import dense

    torch.manual_seed(0)
    network = torch.nn.Sequential(*dense([6, 5, CLASSES]))
    x, label = torch.rand(2, 8, 6), torch.randint(0, CLASSES, (2, 8))
    Objective(network)(x[0], label[0], x[1], label[1]).backward()
    layers = [m for m in network if isinstance(m, torch.nn.Linear)]
    params = {
        f"Dense_{i}": {"kernel": m.weight.detach().numpy().T, "bias": m.bias.detach().numpy()}
        for i, m in enumerate(layers)
    }
    new, kept = label.numpy().astype(np.int32)

    def loss(params):
        logits = MLP((5,), (CLASSES,)).apply({"params": params}, x.numpy().reshape(16, 6))
        current = losses.label_cross_entropy(logits[:8], new).mean()
        return current / 2 + (1 - 1 / 2) * losses.label_cross_entropy(logits[8:], kept).mean()

    gradient = jax.grad(loss)(params)
    for i, m in enumerate(layers):
        ours = gradient[f"Dense_{i}"]
        np.testing.assert_allclose(ours["kernel"].T, m.weight.grad, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(ours["bias"], m.bias.grad, rtol=1e-4, atol=1e-7)
