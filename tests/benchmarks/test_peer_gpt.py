"""The peer of GPT makes the same arithmetic: its loss and gradients are ours."""

import jax
import numpy as np
import pytest

from genjax.losses import token_cross_entropy
from genjax.models.embedding import Embedding
from genjax.models.layers import Layers
from genjax.models.transformer import Stack
from genjax.ops.cross_entropy import token_logits
from genjax.ops.masks import causal_mask
from tests.benchmarks import weights
from tests.benchmarks.weights import dense, norm

VOCAB, LENGTH, WIDTH = 11, 6, 8
MODEL = {"vocab_size": VOCAB, "length": LENGTH, "num_layers": 2, "num_heads": 2, "width": WIDTH}


def _ours(w):
    def layer(i):
        def kernel(name):
            return dense(w, f"blocks.{i}.{name}", bias=False)

        return {
            "attention": {n: kernel(n) for n in ("query_key_value", "out")},
            "feed_forward": {n: kernel(n) for n in ("up", "down")},
        } | {
            n: norm(w, f"blocks.{i}.{n}", bias=False)
            for n in ("attention_norm", "feed_forward_norm")
        }

    layers = weights.stacked([layer(i) for i in range(MODEL["num_layers"])])
    return {
        "embedding": {"tokens": w["tokens.weight"], "positions": w["positions.weight"]},
        "stack": {"layers": layers, "norm": norm(w, "norm", bias=False)},
    }


def test_loss_and_gradients_of_the_peer_are_ours():
    torch = pytest.importorskip("torch", reason="pip install .[benchmarks]")
    from benchmarks.peers import torch_gpt

    torch.manual_seed(0)
    network = torch_gpt.GPT(**MODEL)
    weights.shake(network)
    x = torch.randint(5, VOCAB, (3, LENGTH + 1))
    value = network(x[:, :-1], x[:, 1:])
    value.backward()

    embedding = Embedding(VOCAB, WIDTH, "learned", LENGTH)
    stack = Stack(Layers(WIDTH, 2, 2, bias=False))
    x = x.numpy()

    def loss(params):
        h = embedding.apply({"params": params["embedding"]}, x[:, :-1])
        h = stack.apply({"params": params["stack"]}, h, causal_mask(LENGTH))
        logits = token_logits(h, params["embedding"]["tokens"].T)
        return token_cross_entropy(logits, x[:, 1:]).mean()

    got, gradients = jax.jit(jax.value_and_grad(loss))(_ours(weights.of(network)))
    np.testing.assert_allclose(got, value.item(), rtol=1e-5)
    weights.assert_close(gradients, _ours(weights.of(network, gradients=True)))
