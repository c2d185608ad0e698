"""Heads of the study of few labels, on vectors and fine-tuned: chosen on held-out labels, fitted.

Of the labels that there are, folds are held out to choose by (`genjax.heads.folds`): the layer, C
and gamma, or the learning rate; then all of them are fitted with what was chosen. Test examples are
used once, for the accuracy.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.encoders import Opened, jitted_accuracy
from genjax import heads
from genjax.core.family import DataSpec
from genjax.data.order import Cursor, Shuffled
from genjax.families import classifier

FOLDS = 5
# Labels up to which each fold is held out in turn, of heads with a minimum and of trained ones;
# beyond: one of them.
_ALL_FOLDS_TO = (1000, 100)
_LINEAR_C = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_CONVEX: dict[str, dict[str, Any]] = {
    "linear": {"fit": heads.logistic, "C": _LINEAR_C},
    "svm": {"fit": heads.linear_svm, "C": (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)},
    "rbf": {"gamma": (0.3, 1.0, 3.0), "C": (1.0, 3.0, 10.0, 30.0)},
}
_TRAINED = {"mlp": (3e-4, 3e-3), "tuned": (1e-4, 1e-3)}  # learning rates
HEADS = (*_CONVEX, *_TRAINED)
_STEPS = {"mlp": 20, "tuned": 30}  # updates, times the root of the number of labels
_BATCH, _HIDDEN, _DROPOUT = 100, 256, 0.5


class Found(NamedTuple):
    """What a head came to: accuracies on test and held-out examples, and what was chosen."""

    accuracy: float
    held_out: float
    chosen: Mapping[str, Any]


class Few(NamedTuple):
    """The examples with labels of each of S seeds, and all of the test split.

    Attributes:
      seeds: S of them.
      train: by seed, vectors (n, D) by layer, or pictures in [0, 1].
      label: by seed, (n,).
      test: vectors by layer (N, D), or pictures; the same for all seeds.
      test_label: (N,).
    """

    seeds: Sequence[int]
    train: Sequence[Any]
    label: Sequence[np.ndarray]
    test: Any
    test_label: np.ndarray


def settings(head: str) -> dict[str, Any]:
    """Returns all that a head's result depends on beside its data, as JSON has it."""
    grids = {n: v for n, v in _CONVEX.get(head, {}).items() if n != "fit"}
    shared = {"head": head, "folds": FOLDS, "all_folds_to": _ALL_FOLDS_TO}
    if head in _CONVEX:
        return shared | grids
    own = {"rates": _TRAINED[head], "steps": _STEPS[head], "batch": _BATCH}
    return shared | own | ({"hidden": _HIDDEN, "dropout": _DROPOUT} if head == "mlp" else {})


def steps(labels: int, head: str = "tuned") -> int:
    """Returns the updates of a trained head: more of them for more labels."""
    return round(_STEPS[head] * labels**0.5)


def fit(head: str, few: Few, classes: int) -> list[Found]:
    """Fits a head on vectors for each seed."""
    return (_trained if head in _TRAINED else _convex)(head, few, classes)


def _folds(few: Few, classes: int) -> list[np.ndarray]:
    return [
        np.asarray(heads.folds(jax.random.key(seed), jnp.asarray(y), classes, FOLDS))
        for seed, y in zip(few.seeds, few.label, strict=True)
    ]


def _held_out(labels: int, trained: bool) -> int:
    return FOLDS if labels <= _ALL_FOLDS_TO[trained] else 1


class _Programs(NamedTuple):
    """Functions of a head with a minimum: `grid(x, y, fold)` scores all, `fit(x, y, C, gamma)`."""

    grid: Any
    fit: Any
    right: Any


@functools.cache
def _programs(head: str, classes: int, held_out: int, class_size: int) -> _Programs:
    given = _CONVEX[head]
    C, gamma = jnp.array(given["C"]), given.get("gamma")
    own: dict[str, Any] = {"class_size": class_size} if gamma else {"fit": given["fit"]}
    kernel = heads.RBF(jnp.array(gamma)) if gamma else None

    def grid(x: jax.Array, y: jax.Array, fold: jax.Array) -> jax.Array:
        scored = heads.grid(x, y, classes, C, fold, kernel=kernel, held_out=held_out, **own)
        return scored.accuracy

    def fit(x: jax.Array, y: jax.Array, C: Any, gamma: Any) -> Any:
        if kernel is None:
            return given["fit"](x, y, classes, C)
        return heads.kernel_svm(x, y, classes, heads.RBF(gamma), C, class_size=class_size)

    return _Programs(
        jax.jit(grid), jax.jit(fit), jitted_accuracy(lambda model, x: model.predict(x))
    )


def _convex(head: str, few: Few, classes: int) -> list[Found]:
    given, fold, held = _CONVEX[head], _folds(few, classes), _held_out(len(few.label[0]), False)
    most = max(int(np.bincount(y).max()) for y in few.label)
    programs, found = _programs(head, classes, held, most), []
    for s, y in enumerate(few.label):
        each = {
            layer: np.asarray(programs.grid(x, y, fold[s])).reshape(-1, len(given["C"]))
            for layer, x in few.train[s].items()
        }
        best = {layer: grid.max() for layer, grid in each.items()}
        layer = max(best, key=best.__getitem__)  # of equal ones the first
        g, c = divmod(int(each[layer].argmax()), len(given["C"]))
        C, gamma = given["C"][c], given.get("gamma", (0.0,))[g]
        model = programs.fit(few.train[s][layer], y, jnp.float32(C), jnp.float32(gamma))
        chosen = {"layer": layer, "C": C} | ({"gamma": gamma} if gamma else {})
        chosen["gap"] = float(np.max(model.gap / np.maximum(model.objective, 1e-30)))
        accuracy = programs.right(model, few.test[layer], few.test_label)
        found.append(Found(accuracy, float(best[layer]), chosen))
    return found


def _trained(head: str, few: Few, classes: int) -> list[Found]:
    """Trains a hidden layer on vectors, all seeds at once."""
    rates, n = _TRAINED[head], len(few.label[0])
    y, fold, held = np.stack(few.label), np.stack(_folds(few, classes)), _held_out(n, True)
    kinds, scores = {}, {}
    for layer, vectors in few.train[0].items():
        mlp = kinds[layer] = _mlp(vectors.shape[-1], classes, steps(n, head))
        x = np.stack([of_seed[layer] for of_seed in few.train])
        each = [[_without(i, mlp, few, x, y, fold, r) for i in range(held)] for r in rates]
        scores[layer] = np.mean(each, 1)  # (rates, S)
    found = []
    for s in range(len(y)):
        best = {layer: of_layer[:, s] for layer, of_layer in scores.items()}
        top = {layer: values.max() for layer, values in best.items()}
        layer = max(top, key=top.__getitem__)  # of equal ones the first
        mlp, rate = kinds[layer], rates[int(best[layer].argmax())]
        first, own = mlp.init(np.array(few.seeds[s : s + 1], np.uint32)), few.train[s][layer]
        states = mlp.train(first, own[None], y[s : s + 1], np.arange(n)[None], rate)
        state = jax.tree.map(lambda leaf: leaf[0], states)
        accuracy = jitted_accuracy(mlp.class_of)(state, few.test[layer], few.test_label)
        chosen = {"layer": layer, "rate": rate}
        found.append(Found(accuracy, float(top[layer]), chosen))
    return found


class _Mlp(NamedTuple):
    """Functions of a hidden layer and its head; of many states at once but for `class_of`."""

    init: Any
    train: Any
    classes_of: Any
    class_of: Any


@functools.cache
def _mlp(size: int, classes: int, number: int) -> _Mlp:
    c = classifier.picture_config().unlock()
    c.update({"steps": number, "batch_size": _BATCH})
    c.model.update({"head_hidden": (_HIDDEN,), "dropout": _DROPOUT})
    c.optimizer.schedule = "cosine"
    spec = DataSpec("point", (size,), classes, center=0.0, scale=1.0)
    family = classifier.build(c.lock(), spec, number)

    def class_of(state: Any, x: jax.Array) -> jax.Array:
        return family.classify(state, x).argmax(-1)

    init = jax.jit(jax.vmap(lambda seed: family.init(jax.random.key(seed))))
    train = jax.jit(jax.vmap(_program(family), (0, 0, 0, 0, None)))
    return _Mlp(init, train, jax.jit(jax.vmap(class_of)), class_of)


def _without(
    number: int, mlp: _Mlp, few: Few, x: np.ndarray, y: np.ndarray, fold: np.ndarray, rate: float
) -> np.ndarray:
    """Trains without a fold; returns the share of it that is right, (S,)."""
    out = fold == number
    kept = np.stack([_cycled(np.flatnonzero(~o), y.shape[1]) for o in out])
    states = mlp.train(mlp.init(np.array(few.seeds, np.uint32)), x, y, kept, rate)
    guess = np.asarray(mlp.classes_of(states, x))
    return np.asarray(((guess == y) & out).sum(1) / out.sum(1))


def _cycled(rows: np.ndarray, n: int) -> np.ndarray:
    """Repeats the first of some rows, so that there are as many whatever the fold: a program."""
    return np.resize(rows, n)


def _program(family: Any) -> Any:
    """Returns the function that trains a state on some rows for all of the family's steps."""

    def train(state: Any, x: jax.Array, y: jax.Array, rows: jax.Array, rate: Any) -> Any:
        section = state.opt_state["optimizer"]
        numbers = section.hyperparams | {"learning_rate": jnp.float32(rate)}
        section = section._replace(hyperparams=numbers)
        state = state.replace(opt_state={"optimizer": section})
        order, first = Shuffled(len(rows)), Cursor(np.uint32(0), np.uint32(0))
        shape, key = (min(_BATCH, len(rows)),), jax.random.key_data(state.key)
        plan = rows[order.indices(key, first, family.total_steps, shape)]

        def step(state: Any, index: jax.Array) -> tuple[Any, None]:
            return family.step(state, {"x": x[index], "label": y[index]})[0], None

        return jax.lax.scan(step, state, plan)[0]

    return train


def tune(encoder: Opened, few: Few, classes: int) -> list[Found]:
    """Trains encoder and a linear head on pictures, one seed and rate after the other."""
    layer, n = encoder.layers[-1], len(few.label[0])
    family, fold = encoder.families[layer], _folds(few, classes)
    train, init = jax.jit(_program(family)), jax.jit(family.init)
    right = jitted_accuracy(lambda s, x: family.classify(s, x).argmax(-1))
    found = []
    for s, seed in enumerate(few.seeds):
        x, y, first = few.train[s], few.label[s], encoder.put(init(jax.random.key(seed)))
        kept = _cycled(np.flatnonzero(fold[s] != 0), n)
        out = np.flatnonzero(fold[s] == 0)
        scores = [
            right(train(first, x, y, kept, rate), x[out], y[out]) for rate in _TRAINED["tuned"]
        ]
        rate = _TRAINED["tuned"][int(np.argmax(scores))]
        state = train(first, x, y, np.arange(n), rate)
        accuracy = right(state, few.test, few.test_label)
        found.append(Found(accuracy, max(scores), {"layer": layer, "rate": rate}))
    return found
