"""The peer of flow matching makes the same arithmetic: its loss and gradients are ours."""

import jax
import numpy as np
import pytest

from genjax import losses
from genjax.models.unet import UNet
from tests.benchmarks import weights

torch = pytest.importorskip("torch", reason="pip install .[benchmarks]")

CHANNELS, PATCH, FEATURES = (4, 6), 2, 8


def _nhwc(x):
    return x.numpy().transpose(0, 2, 3, 1)


def _order(network):
    """The peer's layers in the order in which ours are numbered, by kind."""
    layers_in_order = [*network.down, *network.lowest, *network.up]
    blocks = [m for m in layers_in_order if type(m).__name__ == "ResBlock"]
    downs = [m for m in network.down if type(m).__name__ == "Conv2d"]
    names = {"Condition_0/Dense_0": network.message[0], "Condition_0/Dense_1": network.message[2]}
    names |= {"Conv_0": network.stem, "GroupNorm_0": network.norm}
    names |= {f"Conv_{i}": m for i, m in enumerate([*downs, network.head], 1)}
    ups = [m for m in network.up if type(m).__name__ == "ConvTranspose2d"]
    names |= {f"ConvTranspose_{i}": m for i, m in enumerate(ups)}
    for i, block in enumerate(blocks):
        layers = {
            "Dense_0": block.message, "GroupNorm_0": block.first_norm, "Conv_0": block.first,
            "GroupNorm_1": block.second_norm, "Conv_1": block.second,
        }  # fmt: skip
        if hasattr(block.skip, "weight"):
            layers["Conv_2"] = block.skip
        names |= {f"ResBlock_{i}/{name}": layer for name, layer in layers.items()}
    return names


def _ours(name, weight):
    """A weight (or its gradient) of the peer in the layout of ours."""
    if weight.ndim == 4 and "Transpose" in name:  # (in, out, h, w), flipped
        return weight.transpose(2, 3, 0, 1)[::-1, ::-1]
    if weight.ndim == 4:  # (out, in, h, w)
        return weight.transpose(2, 3, 1, 0)
    return weight.T


def _tree(layers, value):
    tree = {}
    for name, layer in layers.items():
        parts = {"scale" if "Norm" in name else "kernel": layer.weight, "bias": layer.bias}
        node = tree
        for part in name.split("/"):
            node = node.setdefault(part, {})
        node.update({k: _ours(name, value(p).numpy()) for k, p in parts.items()})
    return tree


def test_loss_and_gradients_of_the_peer_are_ours():
    from benchmarks.peers import torch_flow

    torch.manual_seed(0)
    network = torch_flow.UNet(1, CHANNELS, 1, PATCH, FEATURES)
    weights.shake(network)
    x, noise, time = torch.rand(3, 1, 8, 8) * 2 - 1, torch.randn(3, 1, 8, 8), torch.rand(3)
    value = torch_flow.loss(network, x, noise, time)
    value.backward()

    layers = _order(network)
    params, expected = _tree(layers, lambda p: p.detach()), _tree(layers, lambda p: p.grad)
    ours = UNet(CHANNELS, patch=PATCH, features=FEATURES)

    def loss(params):
        return losses.flow_matching_loss(
            lambda x, time_B: ours.apply({"params": params}, x, time_B),
            _nhwc(noise),
            _nhwc(x),
            time.numpy(),
        ).mean()

    got, gradients = jax.jit(jax.value_and_grad(loss))(params)
    np.testing.assert_allclose(got, value.item(), rtol=1e-4)
    scale = max(np.abs(g).max() for g in jax.tree.leaves(expected))
    weights.assert_close(gradients, expected, atol=1e-4 * scale)
