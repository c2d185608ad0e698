"""Scores of samples: modes of a known mixture, or what a classifier makes of labeled images."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from genjax.core.capabilities import Samples
from genjax.core.members import by_name
from genjax.data import cache
from genjax.data.image import stacked_digits
from genjax.data.source import first_rows
from genjax.data.toy import mixtures
from genjax.evaluation.image.classifier import sample_quality
from genjax.evaluation.image.extractors import own_classifier
from genjax.evaluation.image.scorer import as_often
from genjax.evaluation.modes import mode_scores, stacked_mode_scores

MIXTURES = ("ring", "grid")
_NUM_JUDGED = 2500  # samples, as PacGAN scores
_NUM_JUDGED_STACKED = 26_000  # as published for its 1,000 modes
_MOST_TEST = 60_000  # of the test split that the classifier judges
_STACKED = "stacked_digits"
_MODE_SCORES = ("modes", "high_quality", "reverse_kl", "reverse_kl_high_quality")
_STACKED_SCORES = _MODE_SCORES[:3]


def judged(model: Any) -> dict[str, Any]:
    """Scores a trained model's samples by the kind of its data; lists over a population's members.

    Returns:
      Sections of numbers by name: `samples` of mixtures and labeled images; of the latter also
      `real_test`, the same numbers of real images, and `classifier`. Empty for other data, and
      for a model that makes no samples.
    """
    if not isinstance(model.family, Samples):
        return {}
    spec, config, has_prior = model.run.dataset.spec, model.config, model.run.family.has_prior
    count = {"count": num_judged(config)}
    if (score := mode_scorer(config)) is not None:
        return {"samples": count | _of_samples(score, model.sample(num_judged(config)), model)}
    if spec.kind != "image" or not spec.num_classes or not has_prior:
        return {}
    classifier, _ = own_classifier(model.run.dataset, cache.root(config.data.cache_dir))
    x, y = first_rows(model.run.dataset.test, _MOST_TEST)
    quality = functools.partial(sample_quality, classifier)
    samples = as_often(model, num_judged(config), model.run.dataset.test)
    return {
        "samples": count | _of_samples(quality, samples, model),
        "real_test": {"count": len(x)} | as_lists(quality(x)),
        "classifier": {"test_accuracy": float(classifier.accuracy(x, y))},
    }


def as_lists(numbers: Any) -> dict[str, Any]:
    """Returns arrays by name as numbers and lists, as JSON has them."""
    return {name: np.asarray(value).tolist() for name, value in numbers.items()}


def _of_samples(score: Any, samples: np.ndarray, model: Any) -> dict[str, Any]:
    if not model.num_members:
        return as_lists(score(samples))
    return by_name([as_lists(score(s)) for s in samples])


def mode_scorer(config: ConfigDict) -> Callable[[np.ndarray], dict[str, Any]] | None:
    """Returns a function from samples of a known mixture to its scores; None for other data."""
    name = config.data.name
    if name == _STACKED:
        return _stacked_scorer(config.data)
    if name not in MIXTURES:
        return None

    def score(samples: np.ndarray) -> dict[str, Any]:
        scores = mode_scores(samples, mixtures.centers(name), mixtures.SIGMA[name])
        return {n: np.asarray(scores[n]).item() for n in _MODE_SCORES}

    return score


def mode_score_names(config: ConfigDict) -> tuple[str, ...]:
    """Returns the names of the numbers that `mode_scorer` gives."""
    if config.data.name == _STACKED:
        return _STACKED_SCORES
    return _MODE_SCORES if config.data.name in MIXTURES else ()


def num_judged(config: ConfigDict) -> int:
    """Returns how many samples are judged once a run is trained."""
    return _NUM_JUDGED_STACKED if config.data.name == _STACKED else _NUM_JUDGED


def _stacked_scorer(data: ConfigDict) -> Callable[[np.ndarray], dict[str, Any]]:
    """Scores stacked digits by the classifier of single digits that genjax trains."""

    @functools.cache
    def classifier() -> Any:
        return own_classifier(stacked_digits.single(data), cache.root(data.cache_dir))[0]

    def score(samples: np.ndarray) -> dict[str, Any]:
        channels = np.moveaxis(samples, -1, 1)
        each = classifier().probabilities(channels.reshape(-1, *channels.shape[2:], 1))
        scores = stacked_mode_scores(each.reshape(*channels.shape[:2], -1))
        return {n: np.asarray(scores[n]).item() for n in _STACKED_SCORES}

    return score
