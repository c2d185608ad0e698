"""The peer's LSTM language model makes the same arithmetic: its gradients are ours."""

import jax
import numpy as np
import pytest

from genjax.core.family import DataSpec
from genjax.families import recurrent_lm

torch = pytest.importorskip("torch", reason="pip install .[benchmarks]")

VOCAB, UNITS, LAYERS, LENGTH = 13, 6, 2, 5


def test_loss_and_gradients_of_the_peer_are_ours():
    from benchmarks.peers import torch_lstm as peer

    torch.manual_seed(0)
    model = peer.LanguageModel(VOCAB, UNITS, LAYERS)
    x = torch.randint(5, VOCAB, (4, LENGTH + 1))
    value = model(x)
    value.backward()
    theirs = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}

    c = recurrent_lm.default_config()
    c.update({"steps": 1, "batch_size": 4})
    c.model.update({"embed_dim": UNITS, "hidden": UNITS, "layers": LAYERS})
    c.loss.bos_rate = 0.0
    spec = DataSpec("text", (LENGTH + 1,), vocab_size=VOCAB)
    family = recurrent_lm.build(c, spec, 1)
    state = family.init(jax.random.key(0)).replace(params=as_ours(dict(model.named_parameters())))
    gradient = jax.grad(
        lambda params: family.functions["score"](state.replace(params=params), x.numpy()).mean()
    )(state.params)
    nll = family.functions["score"](state, x.numpy())
    np.testing.assert_allclose(value.item(), nll.mean(), rtol=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6),
        gradient, as_ours(theirs),
    )  # fmt: skip


def as_ours(named):
    """The peer's parameters, or their gradients, as our tree; its gates are i, f, g, o as well."""
    p = {name: value.detach().numpy() for name, value in named.items()}
    layers = {
        f"Direction_{i}": {
            "kernel_x": p[f"lstm.weight_ih_l{i}"].T, "kernel_h": p[f"lstm.weight_hh_l{i}"].T,
            "bias": p[f"lstm.bias_ih_l{i}"],
        }
        for i in range(LAYERS)
    }  # fmt: skip
    return {
        "embedding": {"tokens": p["embedding.weight"]}, "recurrent": layers,
        "kernel": p["head.weight"].T, "bias": p["head.bias"],
    }  # fmt: skip
