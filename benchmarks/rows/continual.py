"""The row of continual learning: replay of kept examples, a population of seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.harness import floor, training
from benchmarks.harness.child import Timed
from benchmarks.harness.floor import Product
from benchmarks.harness.row import Row, ours, peers
from genjax.core.family import DataSpec
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset
from genjax.data.tasks import Tasks

# Split Fashion-MNIST, class-incremental, of van de Ven, Tuytelaars and Tolias 2022.
_REPLAY: dict[str, Any] = {
    "members": 10, "hidden": [400, 400], "height": 28, "num_examples": 60_000, "batch_size": 128,
    "budget": 100, "learning_rate": 1e-3,
}  # fmt: skip
_STEPS, _CLASSES, _TASKS = 20, 10, 5


def rows() -> list[Row]:
    """Makes the row `continual_replay`."""
    run = {"steps": _STEPS, **_REPLAY}
    return [
        Row(
            "continual_replay",
            "PyTorch, one seed after the other",
            f"update of all {_REPLAY['members']} seeds, {_REPLAY['batch_size']} new and as many "
            "kept examples each",
            ours(replay, run, "vmap"),
            peers("torch_continual:replay", "eager compiled", run),
            products=_products(_REPLAY),
            rounds=5,
            settings=_REPLAY,
        )
    ]


def replay(
    steps: int,
    *,
    members: int,
    hidden: Sequence[int],
    height: int,
    num_examples: int,
    batch_size: int,
    budget: int,
    learning_rate: float,
) -> Timed:
    """Sets up our side: `members` seeds vmapped, `steps` updates of all a run."""
    config = training.recipe("continual_fashion", batch_size=batch_size)
    config.update(executor="vmap", num_seeds=members, steps=training.TOTAL_STEPS)
    config.data.steps_per_task = training.TOTAL_STEPS // _TASKS
    config.model.hidden = tuple(hidden)
    config.loss.update(method="er", scenario="class", budget=budget)
    config.optimizer.update(training.ADAM, learning_rate=learning_rate)
    x = training.images(num_examples, height).train.arrays["x"]
    source = Resident({"x": x, "label": np.arange(num_examples, dtype=np.int32) % _CLASSES})
    tasks = Tasks(
        source,
        _CLASSES,
        protocol="split",
        num_tasks=_TASKS,
        steps_per_task=config.data.steps_per_task,
        joint=False,
    )
    spec = DataSpec("image", (height, height, 1), num_classes=_CLASSES)
    return training.timed(config, Dataset(spec, tasks, source), steps)


def _products(settings: Mapping[str, Any]) -> tuple[Product, ...]:
    """Counts the products of an update of all members: new and kept examples go through at once."""
    widths = [settings["height"] ** 2, *settings["hidden"], _CLASSES]
    network = floor.dense(2 * settings["batch_size"], widths)
    return tuple(floor.times(settings["members"], floor.autoencoder(network)))
