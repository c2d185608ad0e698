"""The encoder-decoders of PyTorch make the arithmetic of ours: one loss, for the same weights."""

import jax
import numpy as np
import pytest

from genjax.core.tokens import BOS
from genjax.families.transformer import Network
from genjax.losses import token_cross_entropy
from genjax.models.layers import Layers
from genjax.models.seq2seq import Seq2Seq
from genjax.ops.cross_entropy import token_logits
from tests.benchmarks import weights
from tests.benchmarks.weights import dense, norm

torch = pytest.importorskip("torch", reason="pip install .[benchmarks]")

VOCAB, WIDTH, LENGTH, ROWS = 13, 6, 4, 3
PAIRS = np.random.default_rng(0).integers(5, VOCAB, (ROWS, 2, LENGTH))


def our_loss(network, params):
    x, y = PAIRS[:, 0], PAIRS[:, 1]
    inputs = np.pad(y[:, :-1], ((0, 0), (1, 0)), constant_values=BOS)
    vectors = network.apply({"params": params}, x, inputs)
    logits = token_logits(vectors, *network.apply({"params": params}, method="head"))
    return token_cross_entropy(logits, y).mean()


def assert_equal_loss(peer, network, params):
    """One loss, one gradient by the peer's parameters, from which `params` makes ours."""
    value, w = peer(torch.from_numpy(PAIRS)), weights.of(peer)
    value.backward()
    expected, gradient = jax.value_and_grad(lambda w: our_loss(network, params(w)))(w)
    np.testing.assert_allclose(value.item(), expected, rtol=1e-5)
    weights.assert_close(weights.of(peer, gradients=True), gradient)


def test_seq2seq_has_the_loss_and_gradient_of_ours():
    from benchmarks.peers.torch_seq2seq import Seq2Seq as Peer

    torch.manual_seed(0)
    peer = Peer(VOCAB, WIDTH, 8)
    network = Seq2Seq(VOCAB, VOCAB, WIDTH, 8, tie_embeddings=True)

    def params(w):
        cell = weights.lstm(w, "cell", "")
        return {
            "source": {"tokens": w["source.weight"]}, "target": {"tokens": w["target.weight"]},
            "encoder": {
                "Direction_0": weights.lstm(w, "encoder"),
                "Direction_1": weights.lstm(w, "encoder", "_l0_reverse"),
            },
            "decoder": {
                "kernel_x0": cell["kernel_x"][:WIDTH], "kernel_vector": cell["kernel_x"][WIDTH:],
                "kernel_h0": cell["kernel_h"], "bias_x0": cell["bias"],
                "kernel_key": w["key.weight"].T, "kernel_query": w["query.weight"].T,
                "bias_score": w["score.weight"][0], "kernel_out": w["out.weight"].T,
                "bias_out": w["out.bias"],
            },
            "bias": w["bias"],
        }  # fmt: skip

    assert_equal_loss(peer, network, params)


def test_transformer_has_the_loss_and_gradient_of_ours():
    from benchmarks.peers.torch_transformer import Translator

    torch.manual_seed(0)
    peer = Translator(VOCAB, WIDTH, 2, 2, 8, LENGTH, 0.0)
    layers = Layers(WIDTH, 2, 2, mlp_dim=8, activation="relu", norm_first=False)
    network = Network(VOCAB, VOCAB, (LENGTH, LENGTH), layers, "sinusoidal", True)

    def attention(w, name, cross):
        kernel, bias = w[f"{name}.in_proj_weight"].T, w[f"{name}.in_proj_bias"]
        own = {"out": dense(w, f"{name}.out_proj")}
        if not cross:
            return own | {"query_key_value": {"kernel": kernel, "bias": bias}}
        cut = WIDTH
        return own | {
            "query": {"kernel": kernel[:, :cut], "bias": bias[:cut]},
            "key_value": {"kernel": kernel[:, cut:], "bias": bias[cut:]},
        }

    def layer(w, name, cross):
        names = ["attention", *(["cross"] if cross else []), "feed_forward"]
        found = {f"{n}_norm": norm(w, f"{name}.norm{i}") for i, n in enumerate(names, 1)}
        found["attention"] = attention(w, f"{name}.self_attn", False)
        if cross:
            found["cross_attention"] = attention(w, f"{name}.multihead_attn", True)
        found["feed_forward"] = {
            n: dense(w, f"{name}.linear{i}") for i, n in ((1, "up"), (2, "down"))
        }
        return found

    def params(w):
        stacks = {
            side: {
                "layers": jax.tree.map(
                    lambda *p: jax.numpy.stack(p),
                    *(layer(w, f"stacks.{side}.layers.{i}", side == "decoder") for i in range(2)),
                )
            }
            for side in ("encoder", "decoder")
        }
        tables = {side: {"tokens": w[f"{side}.weight"]} for side in ("source", "target")}
        return stacks | tables

    assert_equal_loss(peer, network, params)
