"""Weights of the peers, and their gradients, in the layout of ours."""

import jax
import numpy as np


def shake(network):
    """Moves all parameters off their start, where parts of a gradient may be 0."""
    for p in network.parameters():
        p.data += 0.2 * p.data.new_empty(p.shape).normal_()


def of(network, gradients=False):
    """The trained parameters by name, or their gradients."""
    params = {name: p for name, p in network.named_parameters() if p.requires_grad}
    return {name: (p.grad if gradients else p.detach()).numpy() for name, p in params.items()}


def dense(w, name, bias=True):
    layer = {"kernel": w[f"{name}.weight"].T}
    return layer | {"bias": w[f"{name}.bias"]} if bias else layer


def norm(w, name, bias=True):
    layer = {"scale": w[f"{name}.weight"]}
    return layer | {"bias": w[f"{name}.bias"]} if bias else layer


def lstm(w, prefix, suffix="_l0"):
    """PyTorch's gates are i, f, g, o, as ours are."""
    names = {"kernel_x": "weight_ih", "kernel_h": "weight_hh", "bias": "bias_ih"}
    return {ours: w[f"{prefix}.{theirs}{suffix}"].T for ours, theirs in names.items()}


def stacked(layers):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *layers)


def assert_close(got, expected, rtol=1e-3, atol=1e-5):
    """Trees of one structure whose leaves agree."""
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), got, expected)
