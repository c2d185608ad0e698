"""How programs score samples against real images: metrics, extractor and real set, by their names.

Fields are named as the user gave them: flags of `evaluate` (`--metrics`), or fields of a config
(`config.eval_metrics`).
"""

import functools
from typing import Any

import numpy as np
from absl import logging
from ml_collections import ConfigDict

from genjax.core.config import ConfigError
from genjax.data import cache
from genjax.data.source import Dataset
from genjax.evaluation.image import generative, weights
from genjax.evaluation.image.extractors import Extractor, inception_v3, own

_AT_ONCE = 500  # samples drawn by one program
TRAINING_SPLIT = "train"  # what samples are compared with during a run


class Scorer:
    """Scores samples of a data set; made once for a run, it does its work when it first must.

    All that the user can get wrong is found when it is made, before anything is trained.

    Attributes:
      metrics: names, of `genjax.evaluation.image.generative.NUMBERS`.

    Args:
      dataset: the real images.
      data: the config's section of it.
      metrics: names, separated by commas.
      num_samples: how many there will be.
      weights_file: of InceptionV3; empty: genjax's own classifier.
      split: "train" or "test", of the real images.
      prefix: what stands before `metrics`, `num_samples` and `weights` in errors.
    """

    def __init__(
        self, dataset: Dataset, data: ConfigDict, metrics: str, num_samples: int,
        weights_file: str = "", split: str = TRAINING_SPLIT, prefix: str = "--",
    ):  # fmt: skip
        self.metrics = generative.parse(metrics, f"{prefix}metrics")
        self._dataset, self._data, self._split = dataset, data, split
        self._source = dataset.train if split == "train" else dataset.test
        self._num_samples, self._weights_file, self._prefix = num_samples, weights_file, prefix
        spec, message = dataset.spec, f"{prefix}metrics={metrics}"
        if spec.kind != "image" or spec.shape[-1] not in (1, 3):
            raise ConfigError(f"{message}: needs images of 1 or 3 channels, not {data.name}")
        if weights_file:
            weights.check(weights_file, f"{prefix}weights")
        elif not spec.num_classes:
            raise ConfigError(
                f"{message}: {data.name} has no labels to train genjax's own classifier on; needs "
                f"{prefix}weights, a file of InceptionV3's"
            )
        generative.check_counts(
            self.metrics, num_samples, self._source.num_examples, f"{prefix}num_samples"
        )

    def __call__(self, samples: np.ndarray) -> dict[str, float]:
        """The numbers for samples (n, H, W, C) in [0, 1]."""
        return generative.scores(self.metrics, self.extractor.extract(samples), self.reference)

    @functools.cached_property
    def extractor(self) -> Extractor:
        """Trains genjax's own classifier, or reads InceptionV3's weights."""
        if self._weights_file:
            return inception_v3(self._weights_file, f"{self._prefix}weights")
        return own(self._dataset, cache.root(self._data.cache_dir))

    @functools.cached_property
    def reference(self) -> generative.Reference:
        """The real set."""
        folder = cache.root(self._data.cache_dir)
        return generative.reference(
            self.extractor, self._source, self._data.name, self._split, folder
        )

    def hold_for(self) -> dict[str, str]:
        """What each number holds for, in words: samples, real images, extractor and resize."""
        return {
            name: generative.protocol(name, self._num_samples, self.reference, self.extractor)
            for name in generative.numbers(self.metrics)
        }


def during_training(run: Any) -> Scorer | None:
    """The scorer of `config.eval_metrics`; None where there are none.

    Raises:
      ConfigError: they, `eval_num_samples` or `eval_weights` cannot be used with the data.
    """
    c = run.config
    if not c.eval_metrics:
        return None
    scorer = Scorer(
        run.dataset, c.data, c.eval_metrics, c.eval_num_samples, c.eval_weights,
        prefix="config.eval_",
    )  # fmt: skip
    if c.eval_weights:
        scorer.extractor  # noqa: B018 - read now, while nothing is lost by a broken file
    return scorer


def hooks(run: Any) -> Any:
    """What a training program adds to the loop: pictures, mode scores, `config.eval_metrics`."""
    from genjax.cli import showing, writing
    from genjax.engine.loop import Hooks

    if run.dataset.codec is not None:
        during_training(run)  # which texts have none of: an error in one line
        return Hooks(writing.picture(run), pairs=writing.pairs(run), outputs=writing.outputs(run))
    picture, pairs = showing.picture(run.config, run.dataset.spec), showing.pairs(run.dataset.spec)
    modes, names = showing.mode_scorer(run.config), showing.mode_score_names(run.config)
    scorer = during_training(run)
    if scorer is None:
        return Hooks(picture, modes, names, pairs)

    @functools.cache
    def say_once() -> None:
        for name, protocol in scorer.hold_for().items():
            logging.info("eval/%s holds for %s", name, protocol)

    def judge(samples: np.ndarray) -> dict[str, float]:
        say_once()
        return scorer(samples) | (modes(samples) if modes else {})

    return Hooks(picture, judge, (*names, *generative.numbers(scorer.metrics)), pairs)


def by_flags(model: Any, values: Any) -> Scorer | None:
    """The scorer that the flags of `evaluate` ask for; None without `--metrics`.

    Raises:
      ConfigError: they do not go together, or not with the data.
    """
    if not values.metrics:
        given = [n for n in ("weights", "extractor") if values[n].value]
        if given:
            raise ConfigError(f"--{given[0]}={values[given[0]].value}: needs --metrics")
        return None
    if values.extractor == "inception" and not values.weights:
        raise ConfigError("--extractor=inception: needs --weights, a file of InceptionV3's")
    if values.extractor == "own" and values.weights:
        raise ConfigError(f"--weights={values.weights}: are InceptionV3's; not --extractor=own")
    return Scorer(
        model.run.dataset, model.config.data, values.metrics, values.num_samples,
        values.weights, values.split,
    )  # fmt: skip


def of_model(model: Any, scorer: Scorer, num_samples: int) -> dict[str, Any]:
    """The scores of a trained model's samples: numbers, or lists over a population's members."""
    samples = _drawn(model, num_samples)
    if not model.num_members:
        return scorer(samples)
    members = [scorer(s) for s in samples]
    return {name: [m[name] for m in members] for name in members[0]}


def _drawn(model: Any, n: int) -> np.ndarray:
    """`n` samples, (members, n, …) of a population: some hundreds with each of the seeds 0, 1, …"""
    parts = [model.sample(_AT_ONCE, seed) for seed in range(-(-n // _AT_ONCE))]
    axis = 1 if model.num_members else 0
    return np.concatenate(parts, axis=axis).take(range(n), axis=axis)
