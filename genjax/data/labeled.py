"""Training splits with few labels: hidden from some examples, or only some examples at all."""

from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import fail
from genjax.core.family import Batch
from genjax.data.found import shorten
from genjax.data.in_memory import Resident
from genjax.data.shuffle import permuted
from genjax.data.source import Dataset, Source


class Labeled(Source):
    """Hides the labels of a resident split but for a few.

    Which examples show their label is fixed: the first `num_labeled` of one permutation, whatever
    the seed of a run, so that fewer labels are a part of more. With a `labeled_seed` they are as
    `stratified` chooses them.

    Batches have `"x"` of all examples without labels and as many of the labeled ones, `"labeled_x"`
    and `"labeled_label"`, in epochs and an order of their own. In evaluation all examples have
    their labels, as from `Resident`.
    """

    def __init__(self, source: Resident, num_labeled: int, labeled_seed: int | None = None):
        n = source.num_examples
        if labeled_seed is None:
            order = permuted(np.arange(n, dtype=np.uint32), 0, np.zeros(2, np.uint32), n, np)
            rows = np.flatnonzero(order < num_labeled)
        else:
            rows = np.flatnonzero(stratified(source.arrays["label"], num_labeled, labeled_seed))
        self.all, self.num_examples, self.levels = source, n, source.levels
        self.labeled = source.part(rows)
        self.arrays: Any = {"all": self.all.arrays, "labeled": self.labeled.arrays}

    def cursor(self, first_step: int, batch_shape: tuple[int, ...]) -> Any:
        """Returns the cursors of both."""
        return [s.cursor(first_step, batch_shape) for s in (self.all, self.labeled)]

    def plan(
        self, key: jax.Array, cursor: Any, num_steps: int, batch_shape: tuple[int, ...]
    ) -> dict[str, jax.Array]:
        """Plans the indices of both, int32 (num_steps, *batch_shape)."""
        keys = {"all": key, "labeled": jax.random.fold_in(key, 1)}
        return {
            name: getattr(self, name).plan(keys[name], at, num_steps, batch_shape)
            for name, at in zip(keys, cursor)
        }

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """Makes the batch at indices `x` of `plan`, or at an element of `evaluation`."""
        if "index" in x:
            return self.all.fetch(arrays["all"], x)
        labeled = self.labeled.fetch(arrays["labeled"], x["labeled"])
        return {"x": self.all.fetch(arrays["all"], x["all"])["x"]} | {
            f"labeled_{name}": v for name, v in labeled.items()
        }

    def evaluation(self, batch_size: int) -> dict[str, np.ndarray]:
        """See `Resident`; of all examples."""
        return self.all.evaluation(batch_size)


def limit(dataset: Dataset, data: ConfigDict) -> Dataset:
    """Hides all but `data.num_labeled` labels of the training split.

    Raises:
      ConfigError: no labels, fewer examples than that, or data that do not fit on the device.
    """
    number, train = data.num_labeled, dataset.train
    if number < 0:
        raise fail("data.num_labeled", number, "must be at least 0 (0: all)")
    if not dataset.spec.num_classes:
        raise fail("data.num_labeled", number, f"data.name={data.name} has no labels")
    if number > train.num_examples:
        raise fail(
            "data.num_labeled",
            number,
            f"must be at most the number of training examples, {train.num_examples}",
        )
    if not isinstance(train, Resident):
        raise fail(
            "data.num_labeled", number, "needs the data on the device; raise data.device_limit_mb"
        )
    seed = data.get("labeled_seed")
    classes = len(np.unique(train.arrays["label"]))
    if seed is not None and number < classes:
        raise fail("data.num_labeled", number, f"must be at least {classes}, one of each class")
    return dataset._replace(train=Labeled(train, number, seed))


def choose(dataset: Dataset, data: ConfigDict) -> Dataset:
    """Keeps of the training split `data.num_labeled` examples, and none of `data.leave_out`.

    Each class keeps as many as its share of the split says (the largest remainders are rounded up).
    Which ones is a function of `data.labeled_seed` and the labels alone: the first of a permutation
    of each class.

    Raises:
      ConfigError: no labels, no such class, too few examples, or data not on the device.
    """
    train, number, left_out = dataset.train, data.num_labeled, data.leave_out
    name, value = ("leave_out", left_out) if left_out else ("num_labeled", number)
    if not dataset.spec.num_classes:
        raise fail(f"data.{name}", value, f"data.name={data.name} has no labels")
    if not isinstance(train, Resident):
        raise fail(
            f"data.{name}", value, "needs the data on the device; raise data.device_limit_mb"
        )
    label = train.arrays["label"]
    rows = np.flatnonzero(label != _class(dataset, left_out)) if left_out else np.arange(len(label))
    if number:
        classes = np.unique(label[rows])
        if not len(classes) <= number <= len(rows):
            message = f"must be between {len(classes)}, the classes, and {len(rows)}, the examples"
            raise fail("data.num_labeled", number, f"{message} of the training split")
        rows = rows[stratified(label[rows], number, data.labeled_seed)]
    return dataset._replace(train=train.part(rows))


def _class(dataset: Dataset, name: str) -> int:
    names = dataset.labels or [str(i) for i in range(dataset.spec.num_classes)]
    if name in names:
        return names.index(name)
    if name.isdecimal() and int(name) < len(names):
        return int(name)
    allowed = f"one of {shorten(names)}, or a number below {len(names)}"
    raise fail("data.leave_out", name, f"must be {allowed}")


def stratified(label: np.ndarray, number: int, seed: int) -> np.ndarray:
    """Marks `number` rows, of each class its share."""
    classes, counts = np.unique(label, return_counts=True)
    exact = counts * number / len(label)
    sizes = np.maximum(np.floor(exact).astype(int), 1)
    for c in np.argsort(sizes - exact, kind="stable"):  # the largest remainders first
        sizes[c] += sizes.sum() < number
    while sizes.sum() > number:  # classes so rare that they have been given one
        sizes[sizes.argmax()] -= 1
    marked = np.zeros(len(label), bool)
    for c, size in zip(classes, sizes):
        rows = np.flatnonzero(label == c)
        place = np.arange(len(rows), dtype=np.uint32)
        order = permuted(place, c, np.array([seed, 1], np.uint32), len(rows), np)
        marked[rows[order < size]] = True
    return marked
