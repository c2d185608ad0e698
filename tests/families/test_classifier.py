"""Classifiers of pictures: heads, losses, networks, and which examples they are trained on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from genjax import data, losses
from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.families import classifier
from tests.families.compiled import compiled

CLASSES, SIZE = 3, 8


def build(kind="image", shape=(SIZE, SIZE, 1), classes=CLASSES, **changes):
    c = classifier.picture_config()
    c.update({"steps": 1, "batch_size": 4})
    c.model.update({"channels": (4, 4)})
    c.update_from_flattened_dict({k.replace("__", "."): v for k, v in changes.items()})
    return compiled(classifier.build(c, DataSpec(kind, shape, classes), 1))


def batch(rows=4, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(rows, SIZE, SIZE, 1)).astype(np.float32)
    return {"x": x, "label": np.arange(rows, dtype=np.int32) % CLASSES}


def test_without_network_and_hidden_layers_it_is_linear_in_the_pixels():
    family = build()
    state, x = family.init(jax.random.key(0)), batch()["x"]
    head = jax.tree.map(np.float64, state.params["head"])
    assert head.keys() == {"kernel", "bias"} and not state.params["encoder"]
    logits = (2 * x.reshape(4, -1) - 1) @ head["kernel"] + head["bias"]
    p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(family.classify(state, x), p, rtol=1e-5)


MARGINS = {
    "softmax": losses.label_cross_entropy,
    "hinge": losses.hinge_loss,
    "squared_hinge": losses.squared_hinge_loss,
    "crammer_singer": losses.crammer_singer_loss,
}


@pytest.mark.parametrize("kind", MARGINS)
def test_a_step_descends_the_named_loss_and_the_norms_of_the_heads_weights(kind):
    changes = {"model__head_hidden": (5,), "loss__kind": kind, "loss__l1": 0.1, "loss__l2": 0.2}
    family = build(
        **changes, optimizer__name="sgd", optimizer__b1=0.0, optimizer__learning_rate=1.0
    )
    state, rows = family.init(jax.random.key(0)), batch()

    def value(head):
        h = jax.nn.relu((2 * rows["x"].reshape(4, -1) - 1) @ head["hidden_0"]["kernel"])
        scores = h @ head["kernel"] + head["bias"]
        weights = [head["hidden_0"]["kernel"], head["kernel"]]
        norms = sum(0.1 * jnp.abs(w).sum() + 0.2 * jnp.square(w).sum() for w in weights)
        return MARGINS[kind](scores, rows["label"]).mean() + norms

    moved, metrics = family.step(state, rows)
    gradient = jax.grad(value)(state.params["head"])
    expected = jax.tree.map(lambda p, g: p - g, state.params["head"], gradient)
    for name in ("kernel", "bias"):
        np.testing.assert_allclose(moved.params["head"][name], expected[name], rtol=1e-4, atol=1e-6)
    kernel = expected["hidden_0"]["kernel"]
    np.testing.assert_allclose(
        moved.params["head"]["hidden_0"]["kernel"], kernel, rtol=1e-4, atol=1e-6
    )
    assert metrics["loss"] < value(state.params["head"])  # without the norms


@pytest.mark.parametrize("network", ["conv", "resnet"])
def test_networks_of_pictures_see_each_example_alone_and_offer_their_layers(network):
    family = build(model__network=network, model__norm="group", model__head_hidden=(6,))
    state, x = family.init(jax.random.key(0)), batch()["x"]
    p = family.classify(state, x)
    np.testing.assert_allclose(family.classify(state, x[2:3]), p[2:3], rtol=1e-4, atol=1e-6)
    layers = family.features(state, x)
    sizes = {"conv": (4, 2), "resnet": (8, 4)}[network]
    code = {"conv": 2 * 2 * 4, "resnet": 4}[network]
    assert {n: h.shape[1:] for n, h in layers.items()} == {
        "encoder.0": (sizes[0], sizes[0], 4),
        "encoder.1": (sizes[1], sizes[1], 4),
        "encoder.code": (code,),
        "head.0": (6,),
    }
    np.testing.assert_allclose(layers["encoder.code"], family.encode(state, x), rtol=1e-6)


def test_dropout_is_of_training_alone_and_differs_from_step_to_step():
    family = build(model__head_hidden=(50,), model__dropout=0.5)
    state, rows = family.init(jax.random.key(0)), batch()
    a, b = (family.step(state.replace(step=jnp.int32(n)), rows)[1]["loss"] for n in (0, 1))
    nll = family.evaluate(state, rows | {"mask": np.ones(4)})["nll"] / 4
    assert len({float(a), float(b), float(nll)}) == 3


@pytest.fixture(scope="module")
def digits():
    def load(**changes):
        c = classifier.picture_config()
        c.data.update(changes)
        return data.load(c.data)

    return load


def test_so_many_labels_are_chosen_by_class_and_by_seed_alone(digits):
    every = digits().train.arrays
    few, again, other = (digits(num_labeled=100, labeled_seed=s).train for s in (0, 0, 1))
    assert few.num_examples == 100
    share = np.bincount(every["label"]) * 100 / len(every["label"])
    assert (np.abs(np.bincount(few.arrays["label"]) - share) < 1).all()
    np.testing.assert_array_equal(few.arrays["x"], again.arrays["x"])
    assert (few.arrays["x"] != other.arrays["x"]).any()
    assert digits(num_labeled=100).test.num_examples == digits().test.num_examples


def test_a_class_that_is_left_out_is_absent_from_training_alone(digits):
    kept = digits(leave_out="3", num_labeled=90)
    assert set(np.unique(kept.train.arrays["label"])) == set(range(10)) - {3}
    assert 3 in kept.test.arrays["label"] and kept.spec.num_classes == 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_labeled": 5}, "data.num_labeled=5: must be between 10, the classes, and"),
        ({"num_labeled": 5000}, "data.num_labeled=5000: must be between"),
        ({"leave_out": "ten"}, "data.leave_out='ten': must be one of 0, 1,"),
    ],
)
def test_labels_that_are_not_there_are_refused(digits, changes, message):
    with pytest.raises(ConfigError, match=f"config.{message}"):
        digits(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model__network": "bag"}, "model.network='bag': must be none or conv or resnet or run"),
        ({"model__network": "conv", "model__channels": (4,) * 4}, "model.channels=.*: 4 halvings"),
        ({"model__network": "resnet", "model__channels": ()}, "model.channels=.*at least one"),
        ({"model__network": "conv", "kind": "point", "shape": (3,)}, "model.channels=.*: needs im"),
        ({"model__head_hidden": (0,)}, "model.head_hidden=.*whole numbers of at least 1"),
        ({"model__dropout": 0.5}, "model.dropout=0.5: must be 0 with model.network=none and no mo"),
        ({"teacher__keep": True}, "teacher.keep=True: needs teacher.workdir"),
        ({"teacher__temperature": 2.0}, "teacher.temperature=2.0: needs teacher.workdir"),
        ({"loss__kind": "svm"}, "loss.kind='svm': must be one of softmax, hinge"),
        (
            {"loss__kind": "hinge", "loss__label_smoothing": 0.1},
            "loss.label_smoothing=0.1: must be 0 with loss.kind=hinge",
        ),
        ({"loss__l1": -1.0}, "loss.l1=-1.0: must be at least 0"),
        ({"classes": 0}, "data.name='digits': must be sentences or pictures with labels"),
    ],
)
def test_mistakes_are_told_in_a_line(changes, message):
    with pytest.raises(ConfigError, match=f"config.{message}"):
        build(**changes)
