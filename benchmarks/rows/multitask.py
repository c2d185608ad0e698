"""The row of several tasks at once: four views of pictures, one network of convolutions."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.harness import floor, training
from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.row import Row, ours, peers
from genjax.data.multitask import arrange

_TASKS = {"class": 10, "group": 4, "rotation": 4, "flip": 2}  # of the recipe, and their classes
_VIEWS: dict[str, Any] = {
    "channels": [32, 64], "hidden": [128], "height": 28, "num_examples": 60_000, "batch_size": 128,
    "learning_rate": 1e-3,
}  # fmt: skip


def rows() -> list[Row]:
    """Makes the row `multitask_torch`."""
    run = {"iterations": 100, **_VIEWS}
    return [
        Row(
            "multitask_torch",
            "PyTorch",
            f"update of {len(_TASKS)} tasks",
            ours(multitask, run),
            peers("torch_multitask:views", "eager compiled", run),
            products=_products(_VIEWS),
            settings=_VIEWS,
        )
    ]


def multitask(
    iterations: int,
    *,
    channels: Sequence[int],
    hidden: Sequence[int],
    height: int,
    num_examples: int,
    batch_size: int,
    learning_rate: float,
) -> Timed:
    """Sets up our side: `iterations` updates a run, scanned."""
    config = training.recipe("multitask_fashion", batch_size=batch_size)
    (width,) = hidden
    config.model.update(network="conv", channels=tuple(channels), hidden=width)
    config.loss.update(method="fixed", weights=())
    config.optimizer.update(training.ADAM, learning_rate=learning_rate)
    data = training.images(num_examples, height, classes=_TASKS["class"])
    return training.timed(config, arrange(data, config.data), iterations)


def _products(s: Mapping[str, Any]) -> tuple[Product, ...]:
    """Counts the products of an update; the heads of all tasks see every picture."""
    network, height, width = [], s["height"], 1
    for channels in s["channels"]:
        height //= 2
        network.append(Product(s["batch_size"] * height**2, 16 * width, channels))
        width = channels
    dense = [height**2 * width, *s["hidden"], sum(_TASKS.values())]
    return tuple(floor.autoencoder([*network, *floor.dense(s["batch_size"], dense)]))
