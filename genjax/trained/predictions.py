"""Predictions on new texts, by name: their classes, and the tags of their words."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import logging

from genjax.core.capabilities import Classifies, Tags
from genjax.core.config import ConfigError
from genjax.core.tokens import EOS, PAD
from genjax.data.text.conll import word_rows
from genjax.data.text.sentences import padded
from genjax.trained.reading import in_words

_NARROWEST = 8  # places of a row
TaggedWords = list[tuple[str, str]]


class Classified(NamedTuple):
    """The likeliest class of a text, by name, and its probability."""

    label: str
    probability: float


def can_predict(model: Any) -> bool:
    """Says whether `predict` is for a `genjax.trained.model.Model`."""
    kind, family = model.run.dataset.spec.kind, model.family
    return (kind == "tagged" and isinstance(family, Tags)) or (
        kind == "sentence" and isinstance(family, Classifies)
    )


def predict(
    model: Any, texts: Sequence[str | Sequence[str]]
) -> list[Classified] | list[TaggedWords]:
    """Classifies or tags texts, whichever the model is for."""
    if not can_predict(model):
        family = model.config.family
        raise ConfigError(
            f"family {family}: must be a classifier of sentences or a tagger of words"
        )
    return tag(model, texts) if isinstance(model.family, Tags) else classify(model, texts)


def classify(model: Any, texts: Sequence[Any]) -> list[Classified]:
    """Classifies each text by a single model of the family `classifier`.

    Texts are read as those of the data: what is beyond `data.length` tokens is not seen, which is
    logged.
    """
    _check(model, texts)
    dataset = model.run.dataset
    x = padded(dataset.codec.encode_all(texts), dataset.spec.shape[0], dataset.codec)
    if cut := int(((x != PAD).all(1) & (x[:, -1] != EOS)).sum()):
        what = f"{cut:,} of {len(x):,} texts are cut at data.length={x.shape[1]} tokens"
        logging.warning("warning: %s, as in training", what)
    found = [np.asarray(p) for p in _in_order(model.classify, {"x": x})]
    return [Classified(dataset.labels[p.argmax()], float(p.max())) for p in found]


def tag(model: Any, sentences: Sequence[Any]) -> list[TaggedWords]:
    """Tags each word of each sentence by a single model of the family `tagger`.

    A sentence of more than `data.length` words is read in windows of as many, which overlap by
    half; a word has the tag of the window in which it stands farthest from an end. Sentences are
    lists of words, or strings whose words white space separates. Words are those of the training
    data, where punctuation marks usually are words of their own.
    """
    _check(model, sentences)
    dataset = model.run.dataset
    shape = dataset.spec.char_shape
    words = in_words(sentences)
    places = [(i, at) for i, s in enumerate(words) for at in windows(len(s), shape[0])]
    rows = word_rows(
        [words[i][at : at + shape[0]] for i, at in places], dataset.codec, dataset.char_codec, shape
    )
    farthest = [[-1] * len(s) for s in words]
    tags = [[""] * len(s) for s in words]
    for (i, at), ids in zip(places, _in_order(model.tag, rows)):
        size = min(len(words[i]) - at, shape[0])
        for j in range(size):
            if min(j, size - 1 - j) > farthest[i][at + j]:
                farthest[i][at + j] = min(j, size - 1 - j)
                tags[i][at + j] = dataset.labels[ids[j]]
    return [list(zip(*both)) for both in zip(words, tags)]


def windows(num_words: int, length: int) -> list[int]:
    """Returns where windows of `length` words begin that hold all words and overlap by half."""
    if num_words <= length:
        return [0] if num_words else []
    return [*range(0, num_words - length, max(length // 2, 1)), num_words - length]


def _check(model: Any, texts: Any) -> None:
    if model.num_members:
        raise ConfigError("a population predicts nothing; one member does: model.member(i)")
    if isinstance(texts, str):
        raise ConfigError(f"texts={texts[:40]!r}: must be a list of texts, not one")


def _in_order(function: Callable[..., Any], rows: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Applies `function` to each row; rows of about one length go together, few widths do."""
    size_N = np.count_nonzero(rows["x"], axis=1)
    widths = _NARROWEST * 2 ** np.arange(32)
    width_N = np.minimum(widths[np.searchsorted(widths, size_N)], rows["x"].shape[1])
    found: dict[int, np.ndarray] = {}
    for width in np.unique(width_N):
        same = np.flatnonzero(width_N == width).tolist()
        batch = [a[same, :width].astype(np.int32) for a in rows.values()]
        found |= zip(same, np.asarray(function(*batch)))
    return [found[i] for i in range(len(size_N))]
