"""Texts by name: read, made tokens once, and kept on disk and, where they fit, on the device."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from genjax.core.config import fail, of_texts
from genjax.data import cache, record
from genjax.data.source import Dataset
from genjax.data.text import (
    conll,
    pairs,
    passages,
    running,
    sentences,
    tally,
    tokenizers,
    tsv,
    vocabulary,
)
from genjax.data.text import files as text_files
from genjax.data.text.source import Texts
from genjax.data.text.words import RULES

_FIELDS = (  # that the vocabulary depends on
    "name", "kind", "test", "test_fraction", "tokenizer", "vocab_size", "min_count", "lowercase",
)  # fmt: skip
_SHAPE = ("length", "word_length", "packed")  # and rows of tokens, where they are no running text
_READING = 2  # how texts are read and made rows; another number reads all of them again
_EXAMPLES = {"sentence": "sentences", "pair": "pairs", "tagged": "sentences"}
_KINDS: dict[str, Any] = {
    "text": running, "sentence": sentences, "passage": passages, "pair": pairs, "tagged": conll,
}  # fmt: skip


def load(data: ConfigDict, saved: Path | None = None, other: Path | None = None) -> Dataset:
    """Loads the texts that `data` names, as tokens; for the kinds of examples see `DataSpec`.

    `python_docs`, `text:FILE` and `tfds:NAME` can be of several kinds, and `data.kind` chooses. The
    tokenizer is trained on the training split alone, or is the one saved in `saved`, or else the
    one of another run that is saved in `other`.

    EOS stands where a text ends and nowhere else: a sentence, source or target of `data.length` or
    more tokens is cut to its first `data.length`, without EOS behind the cut, so that no model
    learns to stop there. `Dataset.found` tells how many are cut, and how many tokens are unknown.

    Raises:
      ConfigError: the texts or a field of `data` are not as they must be.
    """
    if "tokenizer" not in data:
        raise fail("data.name", data.name, "is text; this family does not learn from text")
    if not of_texts(data):
        raise fail("data.kind", data.kind, f"data.name={data.name} is text; must be sentence")
    tokenizers.check(data)
    if data.packed and data.bucketed:
        raise fail("data.bucketed", True, "rows that are packed have one length; must be False")
    texts = _texts(data)
    if data.packed and texts.kind != "sentence":
        raise fail("data.packed", True, f"packs sentences; {data.name} is read as {texts.kind}")
    if data.bucketed and texts.kind not in ("sentence", "pair"):
        raise fail("data.bucketed", True, "is for sentences and pairs, of which lengths differ")
    maker = _KINDS[texts.kind]
    words = vocabulary.load(saved, texts.kind)
    if words is None:
        words = _learned(data, texts, other)
    elif words.labels:
        _check_labels(data, texts, words)
    train, test = (_encoded(data, texts, split, words) for split in ("train", "test"))
    dataset: Dataset = maker.dataset(data, words, train, test)
    found: dict[str, Any] = {"source": texts.source} if texts.source else {}
    found |= {"checksum": cache.checksum(train, test)}
    for key in ("cut", "unknown"):
        of = {name: e.info[key] for name, e in (("train", train), ("test", test)) if key in e.info}
        found |= {key: of} if of else {}
    odd = [train.info["warning"]] if "warning" in train.info else []
    message = (*texts.warnings, *odd, *dataset.warnings)
    return dataset._replace(found={**dataset.found, **found}, warnings=message)


def read(data: ConfigDict, split: str) -> Iterator[Any]:
    """Reads the texts of a split as they are written; see `Texts.read`."""
    return _texts(data).read(split)


def identity(data: ConfigDict) -> Any:
    """Returns JSON that changes whenever the texts do."""
    return _texts(data).identity


def _texts(data: ConfigDict) -> Texts:
    source = data.name.partition(":")[0]
    if source == "python_docs":
        from genjax.data.text import python_docs

        return python_docs.texts(data)
    if source == "tfds":
        from genjax.data.text import tfds as tfds_texts

        return tfds_texts.texts(data)
    return {"text": text_files, "tsv": tsv, "pairs": pairs, "conll": conll}[source].texts(data)


def _learned(data: ConfigDict, texts: Texts, other: Path | None) -> vocabulary.Vocabulary:
    """Learns the vocabulary of the training split, or takes it from the cache.

    With that of an `other` run only what belongs to these data is learned, as names of classes.
    """
    given = vocabulary.of_run(other, texts.kind) if other else None
    identity = {field: data[field] for field in _FIELDS} | {
        "split": "vocabulary",
        "reading": _READING,
        "texts": texts.identity,
        "phrases": [data.get("phrases", 0), data.get("phrase_threshold", 0.0)],
        "rules": RULES,
    }
    if data.get("shared_vocabulary", False):  # otherwise as before there was such a field
        identity["shared_vocabulary"] = True
    if given:
        identity["given"] = _hash(given.to_json())

    def build(to: Path) -> dict[str, Any]:
        return _KINDS[texts.kind].learn(data, texts, given).to_json()

    return vocabulary.from_json(cache.entry(cache.root(data.cache_dir), identity, build).info)


def _check_labels(data: ConfigDict, texts: Texts, words: vocabulary.Vocabulary) -> None:
    """Raises `ConfigError` unless the training split has the classes or tags of `words`."""
    identity = {field: data[field] for field in _FIELDS}
    identity |= {"split": "labels", "reading": _READING, "texts": texts.identity}

    def build(to: Path) -> dict[str, Any]:
        found: set[str] = set()
        for _, labels, _ in texts.read("train"):
            found.update(labels if texts.kind == "tagged" else [labels])
        return {"labels": sorted(found - {""})}

    here = cache.entry(cache.root(data.cache_dir), identity, build).info["labels"]
    if set(here) != set(words.labels):
        what = "tags" if texts.kind == "tagged" else "classes"
        raise record.others(f"config.data.name={data.name!r}", what, words.labels, here)


def _encoded(
    data: ConfigDict, texts: Texts, split: str, words: vocabulary.Vocabulary
) -> cache.Entry:
    """Makes one split tokens, in the cache."""
    shape = () if texts.kind in ("text", "passage") else _SHAPE
    identity = {field: data[field] for field in (*_FIELDS, *shape)} | {
        "split": split,
        "reading": _READING,
        "texts": texts.identity,
        "vocabulary": _hash(words.to_json()),
    }
    if texts.kind == "pair" and data.get("target_length", 0):
        identity["target_length"] = data.target_length

    def build(to: Path) -> dict[str, Any]:
        counts = tally.Tally(_EXAMPLES.get(texts.kind, "texts"))
        blocks: Iterator[cache.Rows] = _KINDS[texts.kind].encode(data, texts, split, words, counts)
        cache.write_rows(to, None, blocks, f"encoding {data.name} {split}")
        return counts.facts()

    return cache.entry(cache.root(data.cache_dir), identity, build)


def _hash(found: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
