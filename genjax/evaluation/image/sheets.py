"""Samples as they are, in the order of a score, beside held-out and beside training pictures."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from genjax.core.capabilities import Scores
from genjax.core.config import ConfigError
from genjax.data import cache
from genjax.data.source import labels, rows, spread_rows
from genjax.evaluation.image.classifier import CONFIDENT
from genjax.evaluation.image.extractors import own_classifier
from genjax.evaluation.image.neighbors import Neighbors
from genjax.evaluation.image.scorer import as_often
from genjax.plots.labeled import plot_grid, side_by_side

_COMPARED = 500  # samples, and held-out pictures, whose distances to the training set are compared
_LEAST = 0.01  # of them: a few copies change no median
_BATCH = 5000  # training pictures that exist at a time


class Judge(NamedTuple):
    """Gives a picture a score, higher where it looks more like the data.

    Attributes:
      name: what the score is.
      score: of pictures (N, H, W, C), (N,).
      confident: a classifier that is sure of a picture gives more; None of others.
    """

    name: str
    score: Callable[[np.ndarray], np.ndarray]
    confident: float | None


def judge(model: Any) -> Judge:
    """Returns the classifier of the real pictures, or the model's own critic without labels.

    Raises:
      ConfigError: there is neither, or the data are no pictures.
    """
    spec, data = model.run.dataset.spec, model.config.data
    if spec.kind != "image":
        raise ConfigError(f"data.name={data.name}: must be pictures for a sheet by score")
    if spec.num_classes:
        classifier, _ = own_classifier(model.run.dataset, cache.root(data.cache_dir))
        return Judge(
            "the confidence of a classifier of the real pictures",
            lambda x: np.asarray(classifier.probabilities(x)).max(-1),
            CONFIDENT,
        )
    if not isinstance(model.family, Scores) or model.config.model.get("pack", 1) > 1:
        raise ConfigError(
            f"data.name={data.name}: has no labels to train a classifier on, and family "
            f"{model.config.family} no critic of single pictures; there must be one of them"
        )
    return Judge("the score of its own critic", model.score, None)


def held_out(model: Any, n: int, classes: Any = None) -> np.ndarray:
    """Returns `n` pictures of the test split, of some classes if there are any named.

    They are spread evenly over the split, which may be in the order of its classes.

    Raises:
      ConfigError: there are fewer.
    """
    source = model.run.dataset.test
    among = np.arange(source.num_examples)
    if classes is not None:
        among = np.flatnonzero(np.isin(labels(source), classes))
    if len(among) < n:
        raise ConfigError(f"--n={n}: must be at most {len(among)}, the held-out pictures")
    return spread_rows(source, n, among)[0]


def beside_real(model: Any, x: np.ndarray, classes: Any = None) -> tuple[np.ndarray, str]:
    """Draws held-out pictures and as many samples, all of them, each side best first.

    Args:
      model: a single trained model of pictures.
      x: its samples (N, H, W, C).
      classes: of the held-out pictures; None: all.

    Returns:
      The sheet, uint8 (H, W, 3), and a line on the scores of both sides.
    """
    by = judge(model)
    sides, told = [], []
    columns = math.ceil(math.sqrt(len(x)))
    for name, pictures in (("real, held out", held_out(model, len(x), classes)), ("samples", x)):
        score = by.score(pictures)
        best_first = np.argsort(-score, kind="stable")
        title = f"{len(x):,} {name}, best first"
        sides.append(plot_grid(pictures[best_first], columns, title=title))
        told.append(f"{name}: {_summary(score, by)}")
    return side_by_side(sides), f"{by.name}: {'; '.join(told)}"


def _summary(score: np.ndarray, by: Judge) -> str:
    found = f"median {np.median(score):.3g}"
    if by.confident is None:
        return found
    return f"{found}, {(score > by.confident).mean():.1%} above {by.confident}"


def nearest(model: Any, x: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, list[str]]:
    """Draws each sample beside the training pictures nearest to it, and compares distances.

    Distances are Euclidean, of pixels and, where the data have labels, of the features of the
    classifier of the real pictures. Samples nearer to the training set than held-out pictures are
    copies of it, more or less.

    Args:
      model: a single trained model of pictures.
      x: its samples (N, H, W, C).
      k: training pictures beside each.
      seed: of further samples, whose distances are compared.

    Returns:
      The sheet, uint8 (H, W, 3), and a line for each kind of distance.

    Raises:
      ConfigError: the data are no pictures, or the training set has fewer than `k`.
    """
    dataset, data = model.run.dataset, model.config.data
    if dataset.spec.kind != "image":
        raise ConfigError(f"data.name={data.name}: must be pictures to look for the nearest ones")
    if k > dataset.train.num_examples:
        number = dataset.train.num_examples
        raise ConfigError(f"--nearest={k}: must be at most {number}, the training pictures")
    embeddings: dict[str, Callable[[np.ndarray], np.ndarray]]
    embeddings = {"pixels": lambda x: x.reshape(len(x), -1)}
    if dataset.spec.num_classes:
        classifier, _ = own_classifier(dataset, cache.root(data.cache_dir))
        embeddings["features"] = lambda x: np.asarray(classifier.features(x))
    compared = min(_COMPARED, dataset.test.num_examples)
    drawn, real = as_often(model, compared, dataset.test, seed), held_out(model, compared)
    asked = np.concatenate([x, drawn, real])
    found = {name: Neighbors(embed(asked), k) for name, embed in embeddings.items()}
    for batch in rows(dataset.train, _BATCH):
        for name, embed in embeddings.items():
            found[name].add(batch["x"], embed(batch["x"]))
    lines = []
    for name, neighbors in found.items():
        of_drawn, of_real = np.split(neighbors.distance[len(x) :, 0], [compared])
        told = [
            f"{compared:,} {what} {np.median(d):.4g} ({np.quantile(d, _LEAST):.4g})"
            for what, d in (("samples", of_drawn), ("held-out pictures", of_real))
        ]
        what = f"median (lowest {_LEAST:.0%}) distance of {name} to the nearest training picture"
        lines.append(f"{what}: {', '.join(told)}")
    pictures = [x[:, None], *(neighbors.rows[: len(x)] for neighbors in found.values())]
    tops = ["sample"]
    for name in found:
        tops += [name, *[""] * (k - 1)]
    title = f"samples and their nearest training pictures, by {' and by '.join(found)}"
    grid = np.concatenate(pictures, axis=1).reshape(-1, *x.shape[1:])
    return plot_grid(grid, len(tops), title=title, tops=tops), lines
