"""The peers of BERT make the same arithmetic: their loss and gradients are ours."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax.losses import token_cross_entropy
from genjax.models.bert import Encoder, Heads
from genjax.models.layers import Layers
from tests.benchmarks import weights
from tests.benchmarks.weights import dense, norm

torch = pytest.importorskip("torch", reason="pip install .[benchmarks]")

MODEL = {"vocab_size": 30, "length": 9, "num_layers": 2, "num_heads": 2, "width": 8}


def _batch():
    from benchmarks.peers import torch_bert

    torch.manual_seed(1)
    x = torch.cat([torch.full((4, 1), 2), torch.randint(5, 30, (4, 8))], 1)
    return torch_bert.hide(x, 2, 30)


def _ours(w):
    layers = [
        {
            "attention": {
                "query_key_value": dense(w, f"layers.{i}.query_key_value"),
                "out": dense(w, f"layers.{i}.out"),
            },
            "attention_norm": norm(w, f"layers.{i}.attention_norm"),
            "feed_forward": {n: dense(w, f"layers.{i}.{n}") for n in ("up", "down")},
            "feed_forward_norm": norm(w, f"layers.{i}.feed_forward_norm"),
        }
        for i in range(MODEL["num_layers"])
    ]
    encoder = {
        "embedding": {"tokens": w["tokens.weight"], "positions": w["positions.weight"]},
        "types": w["types.weight"],
        "embedding_norm": norm(w, "norm"),
        "stack": {"layers": weights.stacked(layers)},
    }
    heads = {
        "transform": dense(w, "transform"),
        "norm": norm(w, "transform_norm"),
        "bias": w["bias"],
    }
    return {"encoder": encoder, "heads": heads}


def test_loss_and_gradients_of_the_peer_are_ours():
    from benchmarks.peers import torch_bert

    network, batch = torch_bert.BERT(**MODEL), _batch()
    weights.shake(network)
    value = network(*batch)
    value.backward()
    inputs, positions, targets = (a.numpy() for a in batch)
    layers = Layers(8, 2, 2, norm_first=False)
    encoder, heads = Encoder(30, 9, layers, num_types=2), Heads(30, layers)

    def loss(params):
        h = encoder.apply({"params": params["encoder"]}, inputs)
        h = jnp.take_along_axis(h, positions[..., None], axis=1)
        table = params["encoder"]["embedding"]["tokens"]
        logits = heads.apply({"params": params["heads"]}, h, table)
        return token_cross_entropy(logits, targets).mean()

    got, gradient = jax.jit(jax.value_and_grad(loss))(_ours(weights.of(network)))
    np.testing.assert_allclose(got, value.item(), rtol=1e-4)
    expected = _ours(weights.of(network, gradients=True))
    weights.assert_close(gradient, expected, rtol=2e-3, atol=2e-5)


def test_tokens_that_the_peer_hides_are_a_share_of_the_text():
    from benchmarks.peers import torch_bert

    torch.manual_seed(0)
    x = torch.cat([torch.full((500, 1), 2), torch.randint(5, 1000, (500, 20))], 1)
    inputs, positions, targets = torch_bert.hide(x, 3, 1000)
    assert (positions[:, 1:] > positions[:, :-1]).all() and (positions > 0).all()
    assert (x.gather(1, positions) == targets).all()
    shown = inputs.gather(1, positions)
    assert abs((shown == 4).float().mean() - 0.8) < 0.05
    assert abs((shown == targets).float().mean() - 0.1) < 0.04
    assert (inputs.scatter(1, positions, targets) == x).all()


def test_both_ways_of_transformers_have_one_loss():
    pytest.importorskip("transformers", reason="pip install .[benchmarks]")
    from benchmarks.peers import hf_bert

    timed = hf_bert.training(
        "gathered",
        1,
        batch_size=4,
        mask_rate=0.2,
        num_tokens=50,
        learning_rate=1e-3,
        weight_decay=0.01,
        clip_norm=1.0,
        **MODEL,
    )
    timed.run()
    config = hf_bert.BertConfig(
        vocab_size=30,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=9,
    )
    network, batch = hf_bert.BertForMaskedLM(config).eval(), _batch()
    torch.testing.assert_close(hf_bert.whole(network, *batch), hf_bert.gathered(network, *batch))
