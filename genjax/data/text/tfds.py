"""`tfds:NAME`: the texts of a TFDS data set, read without TensorFlow."""

import collections
import re
from collections.abc import Iterator
from typing import Any

from ml_collections import ConfigDict

from genjax.core.config import ConfigError, fail
from genjax.data import tfds
from genjax.data.found import shorten
from genjax.data.text import files
from genjax.data.text.source import Texts


def texts(data: ConfigDict) -> Texts:
    """Reads running text of a text feature, or its sentences, with the classes of a label if any.

    The test split is `data.test`, else that of `genjax.data.tfds`. Each example is a text; where
    words are the tokens, each of its lines.

    Raises:
      ConfigError: unknown or unprepared data set, no text feature, or no such split; at reading, a
        text is not UTF-8.
    """
    if data.kind == "tagged":
        raise fail("data.kind", data.kind, f"{data.name} has no tags; must be text or sentence")
    prepared = tfds.find(data)
    feature = prepared.first("Text", "text")
    if not feature:
        features = shorten(list(prepared.features)) or "none"
        raise fail("data.name", data.name, f"has no text feature (features: {features})")
    label = prepared.first("ClassLabel", "label") if data.kind == "sentence" else ""
    names = tfds.class_names(prepared, label) if label else []
    if twice := [name for name, count in collections.Counter(names).items() if count > 1]:
        message = f"several classes of {label} are called {shorten(twice, 3)}; must differ"
        raise fail("data.name", data.name, message)
    rows = dict(zip(("train", "test"), tfds.splits(data, prepared)))
    if data.test:
        if data.test not in prepared.splits:
            raise fail("data.test", data.test, f"must be one of {shorten(list(prepared.splits))}")
        rows = {"train": ("train", None), "test": (data.test, None)}

    def read(split: str) -> Iterator[tuple[str, str, str]]:
        for where, example in tfds.examples(data, prepared, *rows[split]):
            try:
                text = example[feature].decode("utf-8")
            except UnicodeDecodeError as error:
                raise ConfigError(f"{where}: is not UTF-8 ({files.no_text(error)})") from error
            number = int(example[label]) if label else 0
            if label and not 0 <= number < len(names):  # TFDS has -1 for a label that is not known
                message = f"must be a split with labels; {where} has {number}"
                raise fail("data.test", data.test or rows[split][0], message)
            yield text, names[number] if label else "", where

    def running(split: str) -> Iterator[str]:
        for text, *_ in read(split):
            if data.tokenizer == "word":
                yield from (line for line in re.split("\r?\n", text) if line.strip())
            else:
                yield text

    identity: dict[str, Any] = {"files": tfds.stamps(prepared), "feature": feature, "label": label}
    identity["names"] = names
    train, test = rows["train"], rows["test"]
    origin = f"splits {train[0]} and {test[0]} of {prepared.folder}"
    if train[1] is not None:
        origin = f"a random {data.test_fraction:.3g} of {train[0]} is the test split"
    return Texts(data.kind, identity, read if data.kind == "sentence" else running, source=origin)
