"""How a model's data set reads what its methods are given: pictures, texts, labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import logging

from genjax.core import arguments
from genjax.core.config import ConfigError
from genjax.core.draws import round_up
from genjax.core.files import shown
from genjax.core.tokens import EOS, MASK, PAD, SPECIALS
from genjax.data.source import Codec, Dataset
from genjax.data.text.conll import word_rows
from genjax.data.text.sentences import padded

_MASK = SPECIALS[MASK]  # how a text says that a token is to be filled in


def in_words(sentences: Sequence[str | Sequence[str]]) -> list[list[str]]:
    """Splits sentences into words, none of which has white space in it."""
    return [
        s.split() if isinstance(s, str) else ["_".join(w.split()) for w in s] for s in sentences
    ]


class Reader:
    """Turns arguments into rows of arrays; see `genjax.core.arguments` for errors.

    Attributes:
      spec: of the data.
      classes: that a label may name; 0: the model takes none.
    """

    def __init__(self, dataset: Dataset, conditional: bool):
        self.spec, self.classes = dataset.spec, dataset.spec.num_classes if conditional else 0
        self._dataset = dataset

    def block(self, members: int) -> int:
        """Returns the rows of a program at most."""
        return arguments.block_size(self.spec, members)

    def draws(self, members: int) -> int:
        """Returns the samples of a program at most: a multiple of the classes, drawn in turn."""
        return round_up(arguments.draw_size(self.spec, members), self.classes)

    def input(self, name: str, x: Any, *, target: bool = False, masked: bool = False) -> np.ndarray:
        """Reads examples, texts or tokens as rows of the model's input, or of its targets."""
        spec = self.spec
        if spec.kind in ("image", "point"):
            return arguments.examples(name, x, spec)
        if arguments.is_texts(x) or (isinstance(x, (list, tuple)) and not x):
            return self.tokens(name, x, target=target, masked=masked)
        shape = spec.target_shape if target else spec.shape
        number = spec.target_vocab_size if target else spec.vocab_size
        return arguments.tokens(name, x, number, shape)

    def tokens(
        self, name: str, given: Any, *, target: bool = False, masked: bool = False
    ) -> np.ndarray:
        """Reads texts as rows of tokens, see `genjax.trained.model.Model.tokens`."""
        codec = self._codec(name, target)
        texts = arguments.texts(name, given)
        length = (self.spec.target_shape if target else self.spec.shape)[0]
        ids = codec.encode_all(texts)
        if masked:
            ids = (np.array(self._encoded(text, codec), np.int32) for text in texts)
        if self.spec.kind in ("sentence", "pair"):
            x = padded(ids, length, codec).astype(np.int32)
            if cut := int(((x != PAD).all(1) & (x[:, -1] != EOS)).sum()):
                field = "length" if length == self.spec.shape[0] else "target_length"
                what = f"{cut:,} of {len(x):,} texts are cut at data.{field}={length} tokens"
                logging.warning("warning: %s, as in training", what)
            return x
        x = np.full((len(texts), length), PAD, np.int32)
        for i, (row, found) in enumerate(zip(x, ids)):
            if len(found) > length:
                raise ConfigError(
                    f"{name}[{i}]: has {len(found)} tokens; this model sees {length} at most"
                )
            row[: len(found)] = found
        return x

    def characters(self, given: Any, x: np.ndarray, needed: bool) -> tuple[np.ndarray, ...]:
        """Reads the characters (N, T, C) of tokens x (N, T); none where they are not given.

        `needed`: whether the model sees them.
        """
        if given is None:
            if needed:
                raise ConfigError("chars: missing; this model sees the characters of words")
            return ()
        shape = (x.shape[1], *self.spec.char_shape[1:])
        chars = arguments.tokens("chars", given, self.spec.char_vocab_size, shape)
        if len(chars) != len(x):
            raise ConfigError(f"chars: must be of {len(x)} rows, one for each of the tokens")
        return (chars,)

    def windows(self, name: str, given: Any) -> tuple[np.ndarray, np.ndarray]:
        """Reads texts as windows of running text (W, T), and the number of the text of each.

        A window begins with the last token of the one before.
        """
        codec, rows, owner = self._codec(name, False), [], []
        length = self.spec.shape[0]
        for i, ids in enumerate(codec.encode_all(arguments.texts(name, given))):
            for start in range(0, max(1, len(ids) - 1), length - 1):
                part = ids[start : start + length]
                rows.append(np.pad(part, (0, length - len(part)), constant_values=PAD))
                owner.append(i)
        return np.array(rows, np.int32), np.array(owner)

    def sentences(self, name: str, given: Any) -> tuple[np.ndarray, np.ndarray]:
        """Sentences for a tagger, strings or lists of words, as tokens and their characters."""
        if isinstance(given, str) or not given:
            raise ConfigError(f"{name}: must be a list of sentences")
        words, (length, characters) = in_words(given), self.spec.char_shape
        for i, sentence in enumerate(words):
            if len(sentence) > length:
                raise ConfigError(
                    f"{name}[{i}]: has {len(sentence)} words; this model sees {length} at most"
                )
        chars = self._dataset.char_codec
        assert chars is not None  # data of a tagger have one
        rows = word_rows(words, self._codec(name, False), chars, (length, characters))
        return rows["x"].astype(np.int32), rows["chars"].astype(np.int32)

    def words(self, name: str, given: Any) -> np.ndarray:
        """Reads words, as strings or tokens (N,), as tokens."""
        if not arguments.is_texts(given):
            return arguments.tokens(name, given, self.spec.vocab_size, ())
        codec, found = self._codec(name, False), []
        for word in arguments.texts(name, given):
            ids = codec.encode(word)
            if len(ids) != 1 or ids[0] == 1:
                raise ConfigError(f"{name}: {word!r} is no word of the vocabulary")
            found.append(ids[0])
        return np.array(found, np.int32)

    def strings(self, ids: Any) -> list[str]:
        """Turns rows of tokens (…, T) into strings."""
        codec = self._dataset.target_codec or self._dataset.codec
        if codec is None:
            raise ConfigError("ids: this model writes no sentences")
        ids = np.asarray(ids)
        if ids.ndim < 1 or ids.dtype.kind not in "iu":
            raise ConfigError(f"ids: must be tokens (…, T), not {ids.dtype} {ids.shape}")
        return [codec.decode(row) for row in ids.reshape(-1, ids.shape[-1])]

    def labels(self, labels: Any, rows: int, *, in_turn: bool) -> tuple[np.ndarray, ...]:
        """Reads the labels of rows, if the model takes any."""
        if not self.classes:
            if labels is not None:
                raise ConfigError("labels: this model is not conditional; it takes none")
            return ()
        if labels is not None:
            return (arguments.labels("labels", labels, self.classes, rows),)
        if not in_turn:
            what = f"a class of 0 … {self.classes - 1} for each example"
            raise ConfigError(f"labels: missing; this model is conditional and needs {what}")
        return ((np.arange(rows) % self.classes).astype(np.int32),)

    def classes_of(self, labels: Any, n: int) -> np.ndarray | None:
        """Reads the classes of `n` draws, taken in turn; see `class_numbers`."""
        if labels is None:
            return None
        if not self.classes:
            raise ConfigError("labels: this model is not conditional; it takes none")
        found = class_numbers("labels", labels, self._dataset)
        if len(found) > n and not (isinstance(labels, str) and labels == "all"):
            raise ConfigError(f"labels: has {len(found)} classes; must be at most n={n}")
        return np.resize(found, n)

    def template(self) -> tuple[np.ndarray, ...]:
        """Makes arguments of one example, for shapes alone."""
        kind = np.float32 if self.spec.kind in ("image", "point") else np.int32
        labels = (np.zeros(1, np.int32),) if self.classes else ()
        return (np.zeros((1, *self.spec.shape), kind), *labels)

    def _codec(self, name: str, target: bool) -> Codec:
        codec = (target and self._dataset.target_codec) or self._dataset.codec
        if codec is None:
            raise ConfigError(f"{name}: this model reads no texts")
        return codec

    def _encoded(self, text: str, codec: Codec) -> list[int]:
        """Encodes a text in which `<mask>` is one token."""
        first, *rest = text.split(_MASK)
        ids = list(codec.encode(first))
        for part in rest:
            ids += [MASK, *codec.encode(part)]
        return ids


def class_numbers(field: str, labels: Any, dataset: Dataset) -> np.ndarray:
    """Reads classes by number or by name, int32 (K,).

    Args:
      field: what the user named them by, for errors.
      labels: a number, a name, "all", or a sequence of numbers and names. Names go before numbers.
      dataset: whose classes they are.
    """
    classes = dataset.spec.num_classes
    if isinstance(labels, str) and labels == "all" and "all" not in dataset.labels:
        return np.arange(classes, dtype=np.int32)
    if isinstance(labels, (str, int, np.integer)):
        labels = [labels]
    try:
        given = list(labels)
    except TypeError:
        given = []
    if not given:
        what = "a class by number or name, a list of them, or all"
        raise ConfigError(f"{field}: must be {what}, not {shown(labels, 40)}")
    numbers = [_class_number(given_class, dataset.labels) for given_class in given]
    for given_class, number in zip(given, numbers):
        if not 0 <= number < classes:
            found = shown(given_class, 40)
            raise ConfigError(f"{field}: no class {found}; must be {_choices(dataset)}")
    return np.array(numbers, np.int32)


def _class_number(given: Any, names: Sequence[str]) -> int:
    """Returns the number of a class, -1 of what is none."""
    if isinstance(given, str):
        if given in names:
            return names.index(given)
        return int(given) if given.isascii() and given.isdecimal() else -1
    right = isinstance(given, (int, np.integer)) and not isinstance(given, (bool, np.bool_))
    return int(given) if right else -1


def _choices(dataset: Dataset) -> str:
    """Lists classes for an error, in a line that is not long."""
    last = dataset.spec.num_classes - 1
    if not dataset.labels or all(name == str(i) for i, name in enumerate(dataset.labels)):
        return f"of 0 … {last}"
    first = ", ".join(f"{shown(name, 30)} ({i})" for i, name in enumerate(dataset.labels[:12]))
    return f"one of {first}" + (f", … {last}" if last > 11 else "")
