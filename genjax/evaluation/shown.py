"""What a run shows of itself, by the kind of its data: pictures and texts."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from absl import logging
from ml_collections import ConfigDict

from genjax.core.capabilities import Samples, Writes
from genjax.core.family import DataSpec
from genjax.core.tokens import PAD, SPECIALS
from genjax.data.toy import mixtures
from genjax.engine.hooks import Hooks
from genjax.evaluation import samples as scores
from genjax.evaluation.image import generative, scorer
from genjax.generation import GREEDY, decoder_of, generate
from genjax.plots.attention import plot_attention
from genjax.plots.grid import drawn, image_grid, reconstruction_grid
from genjax.plots.points import plot_points

BETWEEN = "-" * 40  # a line between two texts


def hooks(run: Any) -> Hooks:
    """Returns what a program adds to the loop: pictures or texts, and scores of samples.

    Raises:
      ConfigError: `eval_metrics` do not go with the data.
    """
    judge = scorer.during_training(run)
    if run.dataset.codec is not None:
        return Hooks(texts(run), pairs=text_pairs(run.dataset), outputs=outputs(run))
    spec, modes, names = (
        run.dataset.spec,
        scores.mode_scorer(run.config),
        scores.mode_score_names(run.config),
    )
    shown = Hooks(picture(run.config, spec), modes, names, pairs(spec))
    if judge is None:
        return shown

    @functools.cache
    def say_once() -> None:
        for name, protocol in judge.hold_for().items():
            logging.info("eval/%s holds for %s", name, protocol)

    def score(samples: np.ndarray) -> dict[str, float]:
        say_once()
        return judge(samples) | (modes(samples) if modes else {})

    @functools.cache
    def labels() -> np.ndarray | None:
        return scorer.classes(run.family, run.config, run.config.eval_num_samples, judge.source)

    names = (*names, *generative.numbers(judge.metrics))
    return shown._replace(scorer=score, score_names=names, labels=labels)


# Pictures.


def picture(config: ConfigDict, spec: DataSpec) -> Callable[[np.ndarray], np.ndarray] | None:
    """Returns a function from samples (n, …) to an image (H, W, C) uint8; None without any."""
    if drawn(spec):
        return image_grid
    if spec.kind != "point" or spec.shape != (2,):
        return None
    name = config.data.name
    if name not in scores.MIXTURES:
        return plot_points
    return lambda x: plot_points(x, mixtures.centers(name), sigma=mixtures.SIGMA[name])


def pairs(spec: DataSpec) -> Callable[[np.ndarray, np.ndarray], np.ndarray] | None:
    """Returns a function from examples and reconstructions (n, …) to an image of both."""
    return reconstruction_grid if drawn(spec) else None


def attention_maps(model: Any, written: Sequence[Any]) -> np.ndarray:
    """Draws what each token of some answers attends to in its source: uint8 (H, W, 3)."""
    dataset = model.run.dataset
    codecs = (dataset.codec, dataset.target_codec or dataset.codec)
    names = [[*SPECIALS, *codec.tokens] for codec in codecs]
    spec, maps = dataset.spec, []
    lengths = spec.shape[0], (spec.target_shape or spec.shape)[0]
    for text in written:
        x, y = (
            np.array([[*ids, *[PAD] * (length - len(ids))]], np.int32)
            for ids, length in zip((text.prompt, text.ids), lengths)
        )
        weights = np.asarray(model.attention(x, y))[0, : len(text.ids), : len(text.prompt)]
        source, answer = ([n[i] for i in ids] for n, ids in zip(names, (text.prompt, text.ids)))
        maps.append((weights, answer, source))
    return plot_attention(maps)


# Texts.


def texts(run: Any) -> Callable[[np.ndarray], str] | None:
    """Returns a function from samples (n, T) to a text of them all; None without samples."""
    if not run.family.has_prior or not isinstance(run.family, Samples):
        return None
    decode = run.dataset.codec.decode
    return lambda samples: f"\n{BETWEEN}\n".join(map(decode, samples)) + "\n"


def outputs(run: Any) -> Callable[[Any, Any], Any] | None:
    """Returns a pure function from (state, sources) to greedy answers; None without answers."""
    spec, family = run.dataset.spec, run.family
    if spec.kind != "pair" or not isinstance(family, Writes):
        return None
    size = spec.target_shape[0]

    def answers(state: Any, x: Any) -> Any:
        return generate(decoder_of(family, state), x, jax.random.key(0), GREEDY, size, size=size)

    return answers


def text_pairs(dataset: Any) -> Callable[[np.ndarray, np.ndarray], str]:
    """Returns a function from held-out sources and answers, rows of tokens, to a text of them."""
    source, target = dataset.codec, dataset.target_codec or dataset.codec
    return lambda x, y: "\n".join(
        f"{source.decode(a)}\n -> {target.decode(b)}" for a, b in zip(x, y)
    )
