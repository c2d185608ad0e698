"""Rows of classifiers of pictures: two convolutions, their features, a student with its teacher."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np

from benchmarks.harness import floor, training
from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.row import Row, ours, peers
from genjax import families
from genjax.core.teaching import Teacher
from genjax.data.taught import Taught
from genjax.engine.teaching import asked
from genjax.evaluation import features as extraction

_DATA = {"classes": 10, "num_examples": 60_000, "batch_size": 128, "learning_rate": 1e-3}
_CONV: dict[str, Any] = {
    "channels": [32, 64], "hidden": [128], "height": 28, "dropout": 0.25, **_DATA,
}  # fmt: skip
_FEATURES: dict[str, Any] = {
    "channels": [32, 64], "hidden": [128], "height": 28, "classes": 10, "num_examples": 10_240,
    "batch_size": 256,
}  # fmt: skip
_LAYER = "head.0"  # the hidden layer
_MODES = ("eager", "compiled", "eager_channels_last", "compiled_channels_last")
_DISTILLED: dict[str, Any] = {
    "size": 784, "teacher": [1200, 1200], "hidden": [800, 800], "temperature": 4.0, "weight": 0.9,
    **_DATA,
}  # fmt: skip


def rows() -> list[Row]:
    """Makes the rows `classifier_torch`, `features_torch` and `distillation_torch`."""
    conv, distilled = {"iterations": 50, **_CONV}, {"iterations": 200, **_DISTILLED}
    seen = {"iterations": 1, **_FEATURES}
    (hidden,), number = _FEATURES["hidden"], _FEATURES["num_examples"]
    return [
        Row(
            "classifier_torch",
            "PyTorch",
            "update",
            ours(classifier, conv),
            peers("torch_classifier:conv", "compiled compiled_channels_last", conv),
            peers("torch_classifier:conv", "eager eager_channels_last", conv),
            products=tuple(floor.autoencoder(_network(_CONV))),
            settings=_CONV,
        ),
        Row(
            "features_torch",
            "PyTorch",
            f"{hidden} features of {number:,} pictures in memory",
            ours(features, seen, "jit"),
            peers("torch_classifier:features", " ".join(_MODES), seen),
            products=_feature_products(_FEATURES),
            settings=_FEATURES,
        ),
        Row(
            "distillation_torch",
            "PyTorch",
            "update",
            ours(distillation, distilled),
            peers("torch_classifier:distillation", "eager compiled", distilled),
            products=_distilled_products(_DISTILLED),
            settings=_DISTILLED,
        ),
    ]


def classifier(
    iterations: int,
    *,
    channels: Sequence[int],
    hidden: Sequence[int],
    height: int,
    classes: int,
    dropout: float,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
) -> Timed:
    """Sets up our side: `iterations` updates a run, scanned."""
    config = training.recipe("classifier_fashion", batch_size=batch_size)
    config.model.update(channels=tuple(channels), head_hidden=tuple(hidden), dropout=dropout)
    config.optimizer.update(training.ADAM, learning_rate=learning_rate)
    images = training.images(num_examples, height, classes=classes)
    return training.timed(config, images, iterations)


def features(
    iterations: int,
    *,
    channels: Sequence[int],
    hidden: Sequence[int],
    height: int,
    classes: int,
    num_examples: int,
    batch_size: int,
) -> Timed:
    """Sets up our side: the features of all pictures, as `genjax features` computes them."""
    config = training.recipe("classifier_fashion", batch_size=batch_size)
    config.model.update(channels=tuple(channels), head_hidden=tuple(hidden))
    data = training.images(num_examples, height, classes=classes)
    family, state = training.built(config, data.spec)
    x = data.train.arrays["x"].astype(np.float32) / 255
    model = SimpleNamespace(family=family, state=state, config=config)
    compute = extraction.Program(model, extraction.Asked((_LAYER,), batch_size=batch_size))

    def run() -> None:
        for _ in range(iterations):
            for start in range(0, num_examples, batch_size):
                compute({"x": x[start : start + batch_size]})

    run()
    return Timed(run, units=iterations, info={"settings": f"jit, {batch_size} pictures at a time"})


def distillation(
    iterations: int,
    *,
    size: int,
    teacher: Sequence[int],
    hidden: Sequence[int],
    classes: int,
    temperature: float,
    weight: float,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
) -> Timed:
    """Sets up our side: `iterations` updates a run, scanned, the teacher asked in each."""
    images = training.images(num_examples, round(size**0.5), classes=classes)
    large = training.recipe("distillation_fashion", batch_size=batch_size)
    large.model.head_hidden, large.teacher.keep = tuple(teacher), False
    family = families.build(large, images.spec, 1)
    params = jax.device_get(jax.jit(family.init)(jax.random.key(1)).params)
    config = training.recipe("distillation_fashion", batch_size=batch_size)
    config.model.head_hidden = tuple(hidden)
    config.optimizer.update(training.ADAM, learning_rate=learning_rate)
    config.teacher.update(
        workdir="random", keep=False, temperature=temperature, weight=weight
    )  # no run
    taught = Taught(images.train, asked(family, Teacher()), {"params": params})
    return training.timed(config, images._replace(train=taught), iterations)


def _network(s: dict[str, Any]) -> list[Product]:
    """Counts the products of the forward pass of a batch."""
    network, height, width = [], s["height"], 1
    for channels in s["channels"]:
        network.append(Product(s["batch_size"] * height**2, 9 * width, channels))
        height, width = height // 2, channels
    dense = [height**2 * width, *s["hidden"], s["classes"]]
    return [*network, *floor.dense(s["batch_size"], dense)]


def _feature_products(s: dict[str, Any]) -> tuple[Product, ...]:
    """Counts the products up to the hidden layer, of all batches."""
    batches = s["num_examples"] / s["batch_size"]
    return tuple(p._replace(number=batches) for p in _network(s)[:-1])


def _distilled_products(s: dict[str, Any]) -> tuple[Product, ...]:
    """Counts the products of an update of the student, and the teacher's forward pass."""
    large = floor.dense(s["batch_size"], [s["size"], *s["teacher"], s["classes"]])
    small = floor.dense(s["batch_size"], [s["size"], *s["hidden"], s["classes"]])
    return (*large, *floor.autoencoder(small))
