"""The peers of classifiers make the same arithmetic: losses and gradients are ours."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from benchmarks.rows import classifier as rows
from genjax.core.family import DataSpec
from genjax.core.teaching import LOGITS
from genjax.families import classifier
from tests.benchmarks import weights

torch = pytest.importorskip("torch", reason="pip install .[benchmarks]")
LABEL = np.array([0, 2, 1, 2], np.int32)
X = np.random.default_rng(0).uniform(size=(4, 8, 8, 1)).astype(np.float32)


def built(**changes):
    c = classifier.picture_config()
    c.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    return classifier.build(c, DataSpec("image", (8, 8, 1), 3), 1)


def our_gradient(params, rows, **changes):
    family = built(**changes)
    rows = {"x": X, "label": LABEL} | rows
    return jax.grad(lambda p: family.class_loss(p, rows, {"key": jax.random.key(0)})[0])(params)


def test_gradients_and_features_of_the_convolutions_are_ours():
    from benchmarks.peers import torch_classifier as peer

    network = peer.Convolutional([3, 4], [5], 8, 3, 0.0)
    weights.shake(network)
    x, label = torch.tensor(X.transpose(0, 3, 1, 2)), torch.tensor(LABEL, dtype=torch.int64)
    peer._loss(network)(x, label).backward()

    def layout(w):
        convolutions = {
            f"Conv_{i}": {
                "kernel": w[f"convolutions.{i}.weight"].transpose(2, 3, 1, 0),
                "bias": w[f"convolutions.{i}.bias"],
            }
            for i in range(2)
        }
        hidden = weights.dense(w, "hidden")  # channels come first there, last here
        kernel = hidden["kernel"].reshape(4, 2, 2, 5).transpose(1, 2, 0, 3).reshape(16, 5)
        head = {"hidden_0": hidden | {"kernel": kernel}, **weights.dense(w, "out")}
        return {"encoder": convolutions, "head": head}

    changes = {"model__network": "conv", "model__channels": (3, 4), "model__head_hidden": (5,)}
    got = our_gradient(layout(weights.of(network)), {}, **changes)
    weights.assert_close(got, layout(weights.of(network, gradients=True)))
    state = SimpleNamespace(eval_params=layout(weights.of(network)))
    features = built(**changes).features(state, X)[rows._LAYER]
    np.testing.assert_allclose(features, peer.extractor(network)(x).detach(), rtol=1e-4, atol=1e-5)


def test_gradients_of_distillation_are_ours():
    from benchmarks.peers import torch_classifier as peer

    large, small = (torch.nn.Sequential(*peer.dense([64, width, 3])) for width in (7, 5))
    weights.shake(small)
    x, label = torch.tensor(X.reshape(4, -1)), torch.tensor(LABEL, dtype=torch.int64)
    peer.distilled(large, small, 4.0, 0.9)(x, label).backward()
    logits = large(2 * x - 1).detach().numpy()

    def layout(w):
        head = {"hidden_0": weights.dense(w, "0"), **weights.dense(w, "2")}
        return {"encoder": {}, "head": head}

    changes = {"model__head_hidden": (5,), "teacher__workdir": "a run"}
    got = our_gradient(layout(weights.of(small)), {LOGITS: logits}, **changes)
    weights.assert_close(got, layout(weights.of(small, gradients=True)))
