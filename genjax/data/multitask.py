"""Several tasks to learn at once, on the pictures of one data set or on texts of several.

Views: each task has its own examples of one labeled set of pictures, and sees them in its own way:

- `class`: as they are; which class.
- `group`: as they are; which of the groups of classes that `data.groups` makes.
- `rotation`: turned; by how many of 0, 90, 180 and 270 degrees (Gidaris et al. 2018).
- `flip`: mirrored or not; which of both.

Overlays: a picture at the upper left lies over another at the lower right of a larger one; `left`
and `right` are their classes, both asked of each overlay (Sabour et al. 2017, section 5.3, the
arrangement of Sener and Koltun 2018, section 5.1, without its reduction in size).

Texts: classes are written `task/class`; a task has the texts of its classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import fail
from genjax.core.family import Batch
from genjax.core.fields import field, read
from genjax.data.in_memory import Resident, evaluation_index
from genjax.data.shuffle import permuted
from genjax.data.source import Dataset, Source

VIEWS = ("class", "group", "rotation", "flip")
OVERLAYS = ("left", "right")
NOT_ASKED = -1  # the target of a task that an example is none of
_TURNS, _SIDES = 4, 2
_TASK, _PLACE, _VIEW = range(3)  # uses of a step's key


@dataclass(frozen=True)
class Tasks:
    """What the section `data` of such a family has of tasks."""

    tasks: tuple[str, ...] = field(
        ("class", "rotation", "flip"),
        "some of class, group, rotation, flip, or of left, right; of texts the TASKs of classes "
        "TASK/CLASS",
    )
    groups: tuple[int, ...] = field((), "of the task group: a number for each class", ge=0)
    sizes: tuple[int, ...] = field(
        (), "training examples of each task; 0: all; empty: all of all", ge=0
    )
    temperature: float = field(
        1.0, "of sampling: 1 by the size of a task, large: of each task as often", gt=0
    )


class Mixed(Source):
    """Shows examples of several tasks: a task is drawn by its share, then an example of it.

    Both are drawn with replacement. Of n_t examples of task t its share is n_t^(1/temperature),
    divided by the sum of all. Batches have `"x"` and `"target"`, int32 (*batch, T), the class of
    each task or `NOT_ASKED`. Evaluation shows every example of every task once.

    Args:
      source: the split.
      rows: of it, for each task that is drawn.
      temperature: 1: as many examples of each task as its size says; large: of all as many.
    """

    def __init__(self, source: Resident, rows: Sequence[np.ndarray], temperature: float = 1.0):
        sizes = np.array([len(r) for r in rows])
        shares = (sizes / sizes.max()) ** (1 / temperature)
        self.all, self.levels, self.num_examples = source, source.levels, int(sizes.sum())
        self.size = sizes.astype(np.int32)
        self.first = (np.cumsum(sizes) - sizes).astype(np.int32)
        self.edges = np.cumsum(shares / shares.sum())[:-1].astype(np.float32)
        self.arrays: Any = {"all": source.arrays, "rows": np.concatenate(rows).astype(np.int32)}

    def cursor(self, first_step: int, batch_shape: tuple[int, ...]) -> Any:
        """See `Source`."""
        return np.uint32(first_step)

    def plan(
        self, key: jax.Array, cursor: Any, num_steps: int, batch_shape: tuple[int, ...]
    ) -> dict[str, jax.Array]:
        """Draws `place` and `task`, int32, and `view` in [0, 1), each (num_steps, *batch_shape)."""

        def one(step: jax.Array) -> dict[str, jax.Array]:
            keys = jax.random.split(jax.random.fold_in(key, step), 3)
            uniform = [jax.random.uniform(k, batch_shape) for k in keys]
            task = (uniform[_TASK][..., None] >= self.edges).sum(-1, dtype=jnp.int32)
            size = jnp.asarray(self.size)[task]
            within = jnp.minimum((uniform[_PLACE] * size).astype(jnp.int32), size - 1)
            place = jnp.asarray(self.first)[task] + within
            return {"place": place, "task": task, "view": uniform[_VIEW]}

        return jax.vmap(one)(cursor + jnp.arange(num_steps, dtype=jnp.uint32))

    def evaluation(self, batch_size: int) -> dict[str, np.ndarray]:
        """Returns `place`, `task`, `view` and `mask`, each (num_batches, batch_size).

        The view is a fixed function of the place, and takes all values as often.
        """
        n = self.num_examples
        found = evaluation_index(n, batch_size)
        order = permuted(np.arange(n, dtype=np.uint32), 0, np.zeros(2, np.uint32), n, np)
        view, place = ((order + 0.5) / n).astype(np.float32), found["index"]
        task = np.searchsorted(self.first, place, side="right").astype(np.int32) - 1
        return {"place": place, "task": task, "view": view[place], "mask": found["mask"]}

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """Makes the batch of an element of `plan` or `evaluation`."""
        batch = self.all.fetch(arrays["all"], arrays["rows"][x["place"]])
        shown, targets = self.present(arrays, batch, x)
        rest = {"mask": x["mask"]} if "mask" in x else {}
        return {"x": shown, "target": jnp.stack(targets, -1).astype(jnp.int32)} | rest

    def present(self, arrays: Any, batch: Batch, x: Any) -> tuple[jax.Array, list[jax.Array]]:
        """Makes what is seen of rows of the split, and the class (*batch) that each task asks."""
        raise NotImplementedError

    def targets(self, task: jax.Array, classes: Sequence[jax.Array]) -> list[jax.Array]:
        """Asks each example for the class of its own task alone."""
        return [jnp.where(task == t, value, NOT_ASKED) for t, value in enumerate(classes)]


class Views(Mixed):
    """Pictures of which each task has its own view; see the module."""

    def __init__(
        self,
        source: Resident,
        rows: Sequence[np.ndarray],
        temperature: float,
        tasks: tuple[str, ...],
        groups: tuple[int, ...],
    ):
        super().__init__(source, rows, temperature)
        self.tasks, self.groups = tasks, groups

    def present(self, arrays: Any, batch: Batch, x: Any) -> tuple[jax.Array, list[jax.Array]]:
        """See `Mixed`."""
        picture, label, task = batch["x"], batch["label"], x["task"]
        turns, side = ((n * x["view"]).astype(jnp.int32) for n in (_TURNS, _SIDES))
        classes = {"class": label, "rotation": turns, "flip": side}
        if "group" in self.tasks:
            classes["group"] = jnp.asarray(self.groups, jnp.int32)[label]
        for t, name in enumerate(self.tasks):
            ways: list[jax.Array] = []
            if name == "rotation":
                ways = [jnp.rot90(picture, k, axes=(-3, -2)) for k in range(1, _TURNS)]
            elif name == "flip":
                ways = [jnp.flip(picture, -2)]
            for k, way in enumerate(ways, 1):
                chosen = (task == t) & (classes[name] == k)
                picture = jnp.where(chosen[..., None, None, None], way, picture)
        return picture, self.targets(task, [classes[name] for name in self.tasks])


class Overlays(Mixed):
    """Overlays of two pictures; a task is asked of all of them, see the module."""

    def __init__(self, source: Resident, tasks: tuple[str, ...]):
        super().__init__(source, [np.arange(source.num_examples)])
        self.tasks = tasks

    def present(self, arrays: Any, batch: Batch, x: Any) -> tuple[jax.Array, list[jax.Array]]:
        """See `Mixed`; the view chooses the picture at the lower right."""
        n = self.num_examples
        other = self.all.fetch(arrays["all"], jnp.minimum((x["view"] * n).astype(jnp.int32), n - 1))
        pictures = {"left": batch["x"], "right": other["x"]}
        margin = _margin(batch["x"].shape[-2])
        sides = {"left": (0, margin), "right": (margin, 0)}
        placed = [jnp.pad(p, _padding(p, sides[name])) for name, p in pictures.items()]
        labels = {"left": batch["label"], "right": other["label"]}
        return jnp.maximum(*placed), [labels[name] for name in self.tasks]


class Sentences(Mixed):
    """Texts whose classes belong to tasks; see the module."""

    def __init__(
        self, source: Resident, rows: Sequence[np.ndarray], temperature: float, place: np.ndarray
    ):
        super().__init__(source, rows, temperature)
        self.place = place

    def present(self, arrays: Any, batch: Batch, x: Any) -> tuple[jax.Array, list[jax.Array]]:
        """See `Mixed`."""
        found = jnp.asarray(self.place)[batch["label"]]
        return batch["x"], self.targets(x["task"], [found] * len(self.size))


def arrange(dataset: Dataset, data: ConfigDict) -> Dataset:
    """Makes the splits of `dataset` those of the tasks that the section `data` names.

    The classes of the data set become those of the first task; `spec.task_classes` has the number
    of each.

    Raises:
      ConfigError: tasks that are not there or do not go together, sizes or groups that do not fit,
        or data that do not fit on the device.
    """
    read(Tasks, {"data": data}, "data")
    tasks, splits = tuple(data.tasks), _splits(dataset)
    if not dataset.spec.num_classes:
        raise fail("data.tasks", tasks, f"data.name={data.name} has no labels")
    for split in splits.values():
        if not isinstance(split, Resident):
            message = "need the data on the device; raise data.device_limit_mb"
            raise fail("data.tasks", tasks, message)
    if not tasks or len(set(tasks)) < len(tasks):
        raise fail("data.tasks", tasks, "must be at least one, and different ones")
    if dataset.spec.kind == "sentence":
        return _sentences(dataset, data, tasks)
    if dataset.spec.kind != "image":
        raise fail("data.name", data.name, "must be pictures or sentences")
    if set(tasks) <= set(OVERLAYS):
        return _overlays(dataset, data, tasks)
    return _views(dataset, data, tasks)


def _views(dataset: Dataset, data: ConfigDict, tasks: tuple[str, ...]) -> Dataset:
    spec, groups = dataset.spec, tuple(data.groups)
    for name in tasks:
        if name not in VIEWS:
            allowed = f"must be some of {', '.join(VIEWS)}, or of {', '.join(OVERLAYS)}"
            raise fail("data.tasks", tasks, allowed)
    if ("group" in tasks) != bool(groups) or (groups and len(groups) != spec.num_classes):
        message = f"must be a group for each of the {spec.num_classes} classes with the task group"
        raise fail("data.groups", groups, f"{message}, else empty")
    if "rotation" in tasks and spec.shape[0] != spec.shape[1]:
        raise fail("data.tasks", tasks, "rotation needs square pictures; set data.image_size")
    classes = {"class": spec.num_classes, "rotation": _TURNS, "flip": _SIDES}
    classes["group"] = max(groups, default=-1) + 1
    found: dict[str, Mixed] = {}
    for which, split in _splits(dataset).items():
        rows = [np.arange(split.num_examples)] * len(tasks)
        rows = _limited(data, rows) if which == "train" else rows
        found[which] = Views(split, rows, data.temperature, tasks, groups)
    return _finished(dataset, found, [classes[name] for name in tasks], tasks)


def _overlays(dataset: Dataset, data: ConfigDict, tasks: tuple[str, ...]) -> Dataset:
    if data.sizes:
        raise fail("data.sizes", tuple(data.sizes), "overlays are of all pictures; must be empty")
    if data.groups:
        raise fail("data.groups", tuple(data.groups), "needs the task group; must be empty")
    height, width, channels = dataset.spec.shape
    margin = _margin(width)
    shape = (height + margin, width + margin, channels)
    found = {which: Overlays(split, tasks) for which, split in _splits(dataset).items()}
    dataset = dataset._replace(spec=dataset.spec._replace(shape=shape))
    return _finished(dataset, found, [dataset.spec.num_classes] * len(tasks), tasks)


def _sentences(dataset: Dataset, data: ConfigDict, tasks: tuple[str, ...]) -> Dataset:
    if data.groups:
        raise fail("data.groups", tuple(data.groups), "needs the task group; must be empty")
    known = [name.partition("/")[0] if "/" in name else "" for name in dataset.labels]
    for name in tasks:
        if name not in known:
            there = ", ".join(dict.fromkeys(n for n in known if n)) or "none"
            message = f"{name} has no class TASK/CLASS in data.name={data.name}, which has {there}"
            raise fail("data.tasks", tasks, message)
    of = [[c for c, task in enumerate(known) if task == name] for name in tasks]
    place = np.zeros(len(known), np.int32)
    for classes in of:
        place[classes] = np.arange(len(classes))
    names = tuple(dataset.labels[c].partition("/")[2] for c in of[0])

    found: dict[str, Mixed] = {}
    for which, split in _splits(dataset).items():
        rows = [np.flatnonzero(np.isin(split.arrays["label"], classes)) for classes in of]
        rows = _limited(data, rows) if which == "train" else rows
        found[which] = Sentences(split, rows, data.temperature, place)
    dataset = dataset._replace(labels=names)
    return _finished(dataset, found, [len(classes) for classes in of], tasks)


def _splits(dataset: Dataset) -> dict[str, Any]:
    """Returns the splits that there are, by the names that `Dataset` has for them."""
    splits = {n: getattr(dataset, n) for n in ("train", "test", "validation")}
    return {name: split for name, split in splits.items() if split is not None}


def _limited(data: ConfigDict, rows: list[np.ndarray]) -> list[np.ndarray]:
    """Keeps `data.sizes` rows of each task: the first of a permutation, whatever the run's seed."""
    sizes = tuple(data.sizes) or (0,) * len(rows)
    if len(sizes) != len(rows):
        raise fail("data.sizes", sizes, f"must be a number for each of {len(rows)} tasks, or empty")
    kept = []
    for size, own in zip(sizes, rows):
        n = len(own)
        if size > n:
            raise fail("data.sizes", sizes, f"must be at most the {n} examples of a task")
        order = permuted(np.arange(n, dtype=np.uint32), 0, np.ones(2, np.uint32), n, np)
        kept.append(own[order < size] if size else own)
    return kept


def _finished(
    dataset: Dataset, splits: Mapping[str, Any], classes: list[int], tasks: tuple[str, ...]
) -> Dataset:
    spec = dataset.spec._replace(num_classes=classes[0], task_classes=tuple(classes))
    labels = dataset.labels if tasks[0] not in ("group", "rotation", "flip") else ()
    return dataset._replace(spec=spec, labels=labels, **splits)


def _margin(width: int) -> int:
    """Returns by how much overlays are larger: 8 of 28, in fours so that they can be halved."""
    return 4 * -(-width // 14)


def _padding(x: jax.Array, side: tuple[int, int]) -> list[tuple[int, int]]:
    return [(0, 0)] * (x.ndim - 3) + [side, side, (0, 0)]
