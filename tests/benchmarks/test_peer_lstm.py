"""The peer's LSTM language model makes the same arithmetic: its gradients are ours."""

import jax
import numpy as np
import pytest

from genjax.core.family import DataSpec
from genjax.families import recurrent_lm
from tests.benchmarks import weights

torch = pytest.importorskip("torch", reason="pip install .[benchmarks]")

VOCAB, UNITS, LAYERS, LENGTH = 13, 6, 2, 5


def test_loss_and_gradients_of_the_peer_are_ours():
    from benchmarks.peers import torch_lstm as peer

    torch.manual_seed(0)
    model = peer.LanguageModel(VOCAB, UNITS, LAYERS)
    x = torch.randint(5, VOCAB, (4, LENGTH + 1))
    value = model(x)
    value.backward()
    c = recurrent_lm.default_config()
    c.update({"steps": 1, "batch_size": 4})
    c.model.update({"embed_dim": UNITS, "hidden": UNITS, "layers": LAYERS})
    c.loss.bos_rate = 0.0
    spec = DataSpec("text", (LENGTH + 1,), vocab_size=VOCAB)
    family = recurrent_lm.build(c, spec, 1)
    state = family.init(jax.random.key(0)).replace(params=_ours(weights.of(model)))
    nll, gradient = jax.value_and_grad(
        lambda params: family.score(state.replace(params=params), x.numpy()).mean()
    )(state.params)
    np.testing.assert_allclose(value.item(), nll, rtol=1e-5)
    weights.assert_close(gradient, _ours(weights.of(model, gradients=True)), atol=1e-6)


def _ours(w):
    layers = {f"Direction_{i}": weights.lstm(w, "lstm", f"_l{i}") for i in range(LAYERS)}
    return {
        "embedding": {"tokens": w["embedding.weight"]},
        "recurrent": layers,
        **weights.dense(w, "head"),
    }
