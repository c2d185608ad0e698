"""The peer of several tasks shows what we do, and minimizes the same."""

import jax
import numpy as np
import pytest

from genjax.core.family import DataSpec
from genjax.data.in_memory import Resident
from genjax.data.multitask import Views
from genjax.families import multitask
from tests.benchmarks import weights

torch = pytest.importorskip("torch", reason="pip install .[benchmarks]")


def test_pictures_classes_and_gradients_are_ours():
    from benchmarks.peers import torch_multitask as peer

    rng = np.random.default_rng(0)
    images, label = rng.integers(0, 256, (16, 8, 8, 1), np.uint8), np.arange(16, dtype=np.int32)
    names, label = tuple(peer.CLASSES), label % 10
    views = Views(
        Resident({"x": images, "label": label}), [np.arange(16)] * 4, 1.0, names, peer.GROUPS
    )
    view = rng.uniform(size=16).astype(np.float32)
    picked = {"place": np.arange(16), "task": np.arange(16) // 4, "view": view}
    ours = views.fetch(views.arrays, picked)

    x = torch.tensor(images.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    given = torch.tensor(label, dtype=torch.int64)
    task = torch.tensor(picked["task"])
    group = torch.tensor(peer.GROUPS)[given]
    shown, target = peer.shown(x, given, group, task, torch.tensor(view))
    np.testing.assert_allclose(shown.numpy().transpose(0, 2, 3, 1), ours["x"], rtol=1e-6)
    np.testing.assert_array_equal(target, ours["target"])

    network = peer.Shared([3, 4], [5], 8)
    weights.shake(network)
    peer.OfViews(network)(x, given, task, torch.tensor(view)).backward()

    def layout(w):
        encoder = {
            f"Conv_{i}": {
                "kernel": w[f"convolutions.{i}.weight"].transpose(2, 3, 1, 0),
                "bias": w[f"convolutions.{i}.bias"],
            }
            for i in range(2)
        }
        hidden = weights.dense(w, "hidden")  # channels come first there, last here
        kernel = hidden["kernel"].reshape(4, 2, 2, 5).transpose(1, 2, 0, 3).reshape(16, 5)
        heads = {f"head_{n}": weights.dense(w, f"heads.{i}") for i, n in enumerate(names)}
        return {"encoder": encoder | {"Dense_0": hidden | {"kernel": kernel}}, **heads}

    c = multitask.default_config()
    c.data.update(tasks=names, groups=peer.GROUPS)
    c.model.update(network="conv", channels=(3, 4), hidden=5)
    spec = DataSpec("image", (8, 8, 1), 10, task_classes=tuple(peer.CLASSES.values()))
    family, shared = multitask.build(c, spec, 1), {"key": jax.random.key(0)}
    got = jax.grad(lambda p: family.tasks_loss(p, ours, shared)[0])(layout(weights.of(network)))
    weights.assert_close(got, layout(weights.of(network, gradients=True)))
