"""Scores samples against real images: metrics, extractor and real set, all named by the user.

Errors name what the user gave: flags of `evaluate` (`--metrics`) or fields of a config
(`config.eval_metrics`).
"""

import functools
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from genjax.core.capabilities import SamplesClasses
from genjax.core.config import ConfigError
from genjax.core.members import by_name
from genjax.data import cache
from genjax.data.source import Dataset, Source, labels, spread_rows
from genjax.evaluation.image import generative, weights
from genjax.evaluation.image.extractors import Extractor, inception_v3, own
from genjax.plots.grid import drawn

AT_ONCE = 500  # samples drawn by one program
TRAINING_SPLIT = "train"  # what samples are compared with during a run without validation data


class Scorer:
    """Scores samples of a data set.

    Making it checks all that the user can get wrong; features are extracted when first needed.

    Attributes:
      metrics: names, of `genjax.evaluation.image.generative.NUMBERS`.
      source: the split of real images.

    Args:
      dataset: the real images.
      data: the config's section of it.
      metrics: names, separated by commas.
      num_samples: how many there will be.
      weights_file: of InceptionV3; empty: genjax's own classifier.
      split: "train", "test" or "validation", of the real images.
      prefix: what stands before `metrics`, `num_samples` and `weights` in errors.
    """

    def __init__(
        self,
        dataset: Dataset,
        data: ConfigDict,
        metrics: str,
        num_samples: int,
        weights_file: str = "",
        split: str = TRAINING_SPLIT,
        prefix: str = "--",
    ):
        self.metrics = generative.parse(metrics, f"{prefix}metrics")
        self._dataset, self._data, self._split = dataset, data, split
        source = getattr(dataset, split)
        if source is None:
            raise ConfigError(f"{prefix}split={split}: config.data.validation_fraction is 0")
        self.source: Source = source
        self._num_samples, self._weights_file, self._prefix = num_samples, weights_file, prefix
        spec, message = dataset.spec, f"{prefix}metrics={metrics}"
        if not drawn(spec):
            raise ConfigError(f"{message}: needs images of 1 or 3 channels, not {data.name}")
        if weights_file:
            weights.check(weights_file, f"{prefix}weights")
        elif not (spec.num_classes and dataset.train.num_examples):
            lacks = "has no end" if spec.num_classes else "has no labels"
            raise ConfigError(
                f"{message}: {data.name} {lacks} to train genjax's own classifier on; needs "
                f"{prefix}weights, a file of InceptionV3's"
            )
        generative.check_counts(
            self.metrics, num_samples, self.source.num_examples, f"{prefix}num_samples"
        )

    def __call__(self, samples: np.ndarray) -> dict[str, float]:
        """Scores samples (n, H, W, C) in [0, 1]."""
        return generative.scores(self.metrics, self.extractor.extract(samples), self.reference)

    def of_real(self) -> dict[str, float]:
        """Scores real images in the place of samples: what a perfect model would get.

        They are training images, or held-out ones where samples are compared with training images:
        as many as samples, or all, which `count` says. Empty where they are too few.
        """
        other = self._dataset.test if self._split == TRAINING_SPLIT else self._dataset.train
        if not other.num_examples:  # drawn without an end
            return {}
        x, _ = spread_rows(other, self._num_samples)
        if not generative.enough(self.metrics, len(x)):
            return {}
        return {"count": len(x)} | self(x)

    @functools.cached_property
    def extractor(self) -> Extractor:
        """Trains genjax's own classifier, or reads InceptionV3's weights."""
        if self._weights_file:
            return inception_v3(self._weights_file, f"{self._prefix}weights")
        return own(self._dataset, cache.root(self._data.cache_dir))

    @functools.cached_property
    def reference(self) -> generative.Reference:
        """Extracts the features of the real set; of none where no metric compares with it."""
        if set(self.metrics) == {"is"}:
            return generative.nothing(self._split)
        folder = cache.root(self._data.cache_dir)
        return generative.reference(
            self.extractor, self.source, self._data.name, self._split, folder
        )

    def hold_for(self) -> dict[str, str]:
        """Says for each number what it holds for: samples, real images, extractor and resize."""
        return {
            name: generative.protocol(name, self._num_samples, self.reference, self.extractor)
            for name in generative.numbers(self.metrics)
        }


def during_training(run: Any) -> Scorer | None:
    """Makes the scorer of `config.eval_metrics`; None without any.

    Raises:
      ConfigError: they, `eval_num_samples` or `eval_weights` cannot be used with the data.
    """
    c = run.config
    if not c.eval_metrics:
        return None
    scorer = Scorer(
        run.dataset,
        c.data,
        c.eval_metrics,
        c.eval_num_samples,
        c.eval_weights,
        split="validation" if run.dataset.validation is not None else TRAINING_SPLIT,
        prefix="config.eval_",
    )
    if c.eval_weights:
        scorer.extractor  # noqa: B018 - read now, while nothing is lost by a broken file
    return scorer


def of_model(model: Any, scorer: Scorer, num_samples: int) -> dict[str, Any]:
    """Scores a trained model's samples: numbers, or lists over a population's members."""
    samples = _drawn(model, num_samples, scorer.source)
    if not model.num_members:
        return scorer(samples)
    return by_name([scorer(s) for s in samples])


def as_often(model: Any, n: int, source: Source, seed: int | None = None) -> np.ndarray:
    """Draws `n` samples; of a conditional model each class as often as a real split has it."""
    return np.asarray(model.sample(n, seed, classes(model.family, model.config, n, source)))


def classes(family: Any, config: ConfigDict, n: int, source: Source) -> np.ndarray | None:
    """Returns the classes of `n` examples spread over a split, shuffled; None of other models."""
    if not isinstance(family, SamplesClasses) or not config.model.get("conditional"):
        return None
    each, order = np.sort(labels(source)), np.random.RandomState(0).permutation(n)
    return each[np.arange(n) * len(each) // n][order]


def _drawn(model: Any, n: int, source: Source) -> np.ndarray:
    """Draws `n` samples, (members, n, …) of a population: 500 with each of the seeds 0, 1, …"""
    seeds, each = range(-(-n // AT_ONCE)), classes(model.family, model.config, n, source)
    asked = [None] * len(seeds) if each is None else np.resize(each, (len(seeds), AT_ONCE))
    parts = [model.sample(AT_ONCE, seed, label_N) for seed, label_N in zip(seeds, asked)]
    axis = 1 if model.num_members else 0
    return np.concatenate(parts, axis=axis).take(range(n), axis=axis)
