"""The peer of GPT makes the same arithmetic: its loss and gradients are ours."""

import jax
import numpy as np
import pytest

from genjax.losses import token_cross_entropy
from genjax.models.embedding import Embedding
from genjax.models.transformer import Layers, Stack
from genjax.ops.attention import causal_mask
from genjax.ops.cross_entropy import token_logits

VOCAB, LENGTH, WIDTH = 11, 6, 8
MODEL = {"vocab_size": VOCAB, "length": LENGTH, "num_layers": 2, "num_heads": 2, "width": WIDTH}


def _params(network, value):
    """The peer's parameters, or what `value` makes of them, as ours: kernels transposed."""

    def array(p):
        return value(p).numpy()

    def of_layer(block):
        dense = {
            "attention": {"query_key_value": block.query_key_value, "out": block.out},
            "feed_forward": {"up": block.up, "down": block.down},
        }
        tree = {
            part: {name: {"kernel": array(d.weight).T} for name, d in parts.items()}
            for part, parts in dense.items()
        }
        for norm in ("attention_norm", "feed_forward_norm"):
            tree[norm] = {"scale": array(getattr(block, norm).weight)}
        return tree

    layers = jax.tree.map(lambda *a: np.stack(a), *map(of_layer, network.blocks))
    embedding = {"tokens": network.tokens.weight, "positions": network.positions.weight}
    return {
        "embedding": {name: array(p) for name, p in embedding.items()},
        "stack": {"layers": layers, "norm": {"scale": array(network.norm.weight)}},
    }


def test_loss_and_gradients_of_the_peer_are_ours():
    torch = pytest.importorskip("torch", reason="pip install .[benchmarks]")
    from benchmarks.peers import torch_gpt

    torch.manual_seed(0)
    network = torch_gpt.GPT(**MODEL)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.2 * torch.randn_like(p))
    x = torch.randint(5, VOCAB, (3, LENGTH + 1))
    value = network(x[:, :-1], x[:, 1:])
    value.backward()

    params, expected = (_params(network, f) for f in (lambda p: p.detach(), lambda p: p.grad))
    embedding = Embedding(VOCAB, WIDTH, "learned", LENGTH)
    stack = Stack(Layers(WIDTH, 2, 2, bias=False))
    x = x.numpy()

    def loss(params):
        h = embedding.apply({"params": params["embedding"]}, x[:, :-1])
        h = stack.apply({"params": params["stack"]}, h, causal_mask(LENGTH))
        logits = token_logits(h, params["embedding"]["tokens"].T)
        return token_cross_entropy(logits, x[:, 1:]).mean()

    got, gradients = jax.jit(jax.value_and_grad(loss))(params)
    np.testing.assert_allclose(got, value.item(), rtol=1e-5)
    assert jax.tree.structure(gradients) == jax.tree.structure(expected)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), gradients, expected
    )
