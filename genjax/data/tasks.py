"""A labeled data set as a sequence of tasks, one after the other, for continual learning.

`split` deals the classes out to tasks, in an order of the run's own. In `permuted` every task has
all classes, and pixels in an order of its own, of which the source knows nothing: families apply it
(`pixel_orders`). Sources: Zenke et al. 2017, section 4.1, and Goodfellow et al. 2013; as van de Ven
and Tolias 2019, section 3, use them.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import fail
from genjax.core.family import Batch
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset, Source

PROTOCOLS = ("split", "permuted")
_CLASSES, _PIXELS, _BATCHES = range(3)  # uses of the data key


def class_order(key: jax.Array, num_classes: int) -> jax.Array:
    """Draws the order in which `split` deals out the classes, int32 (num_classes,), from a key."""
    order = jax.random.permutation(jax.random.fold_in(key, _CLASSES), num_classes)
    return order.astype(jnp.int32)


def pixel_orders(key: jax.Array, num_tasks: int, size: int) -> jax.Array:
    """Draws where each task's pixels come from, int32 (num_tasks, size); the first keeps them."""
    key = jax.random.fold_in(key, _PIXELS)
    keys = jax.vmap(lambda task: jax.random.fold_in(key, task))(jnp.arange(num_tasks))
    orders = jax.vmap(lambda k: jax.random.permutation(k, size))(keys)
    return orders.at[0].set(jnp.arange(size)).astype(jnp.int32)


class Tasks(Source):
    """Shows the tasks of a resident split one after the other, `steps_per_task` steps each.

    The examples of a step are drawn from its task, with replacement; those of a step behind the
    last task are the last one's. Batches have `"x"`, `"label"` as the data have it, and `"task"`,
    int32. In evaluation they are those of `Resident`.

    Args:
      source: the split.
      num_classes: of its labels.
      protocol: one of `PROTOCOLS`.
      num_tasks: of which `split` gives each num_classes / num_tasks classes.
      steps_per_task: updates.
      joint: every step draws from all tasks, the bound that continual learning is held against.
    """

    def __init__(
        self,
        source: Resident,
        num_classes: int,
        *,
        protocol: str,
        num_tasks: int,
        steps_per_task: int,
        joint: bool,
    ):
        label = source.arrays["label"]
        by_class = np.argsort(label, kind="stable")  # so that a class is a range of rows
        arrays = {name: a[by_class] for name, a in source.arrays.items()}
        self.all, self.num_examples = Resident(arrays, source.levels), source.num_examples
        self.levels = source.levels
        self.arrays: Any = self.all.arrays
        self.count = np.bincount(label, minlength=num_classes).astype(np.int32)
        self.first = (np.cumsum(self.count) - self.count).astype(np.int32)
        self.num_classes, self.num_tasks = num_classes, num_tasks
        self.protocol, self.steps_per_task, self.joint = protocol, steps_per_task, joint

    def cursor(self, first_step: int, batch_shape: tuple[int, ...]) -> Any:
        """See `Source`."""
        return np.uint32(first_step)

    def plan(
        self, key: jax.Array, cursor: Any, num_steps: int, batch_shape: tuple[int, ...]
    ) -> dict[str, jax.Array]:
        """Draws `index` and `task`, both int32 (num_steps, *batch_shape)."""
        classes, draws = class_order(key, self.num_classes), jax.random.fold_in(key, _BATCHES)

        def one(step: jax.Array) -> dict[str, jax.Array]:
            task_key, row_key = jax.random.split(jax.random.fold_in(draws, step))
            now = jnp.minimum(step // np.uint32(self.steps_per_task), self.num_tasks - 1)
            task = jnp.full(batch_shape, now.astype(jnp.int32))
            if self.joint:
                task = jax.random.randint(task_key, batch_shape, 0, self.num_tasks)
            uniform = jax.random.uniform(row_key, batch_shape)
            return {"index": self._rows(classes, task, uniform), "task": task}

        return jax.vmap(one)(cursor + jnp.arange(num_steps, dtype=jnp.uint32))

    def _rows(self, classes: jax.Array, task: jax.Array, uniform: jax.Array) -> jax.Array:
        """Finds the row of its task's that lies at the place `uniform`, in [0, 1), of them."""
        if self.protocol == "split":
            own = classes.reshape(self.num_tasks, -1)[task]  # (…, classes of a task)
        else:
            own = jnp.broadcast_to(jnp.arange(self.num_classes), (*task.shape, self.num_classes))
        count = jnp.asarray(self.count)[own]
        end = jnp.cumsum(count, -1)
        place = jnp.floor(uniform * end[..., -1]).astype(jnp.int32)
        which = (place[..., None] >= end).sum(-1, keepdims=True)
        start = jnp.asarray(self.first)[own] + count - end  # of a class, less the places before it
        return place + jnp.take_along_axis(start, which, -1)[..., 0]

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """Makes the batch of an element of `plan`, or of `evaluation`."""
        if "mask" in x:
            return self.all.fetch(arrays, x)
        return self.all.fetch(arrays, x["index"]) | {"task": x["task"]}

    def evaluation(self, batch_size: int) -> dict[str, np.ndarray]:
        """See `Resident`."""
        return self.all.evaluation(batch_size)


def arrange(dataset: Dataset, data: ConfigDict) -> Dataset:
    """Makes the training split of `dataset` a sequence of tasks, as the section `data` says.

    Raises:
      ConfigError: no labels, classes that tasks do not divide, or data that do not fit on the
        device.
    """
    train, classes = dataset.train, dataset.spec.num_classes
    if not classes:
        raise fail("data.protocol", data.protocol, f"data.name={data.name} has no labels")
    if data.protocol == "split" and classes % data.num_tasks:
        message = f"must divide the {classes} classes of data.name={data.name}"
        raise fail("data.num_tasks", data.num_tasks, message)
    if not isinstance(train, Resident):
        message = "needs the data on the device; raise data.device_limit_mb"
        raise fail("data.protocol", data.protocol, message)
    tasks = Tasks(
        train,
        classes,
        protocol=data.protocol,
        num_tasks=data.num_tasks,
        steps_per_task=data.steps_per_task,
        joint=data.joint,
    )
    return dataset._replace(train=tasks)
