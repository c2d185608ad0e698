"""What a run records of its data, and the data set that the record stands for once they are gone.

Using a model needs no example of its data, but shapes, names and tokens. These are recorded; the
splits are read when something first asks for an example, and must then be what the record says.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, cast

from absl import logging

from genjax.core.config import ConfigError
from genjax.core.family import DataSpec
from genjax.data.found import shorten
from genjax.data.source import Dataset, Source
from genjax.data.text import tokenizers
from genjax.data.text.vocabulary import Vocabulary

_TEXTS = ("text", "sentence", "passage", "pair", "tagged")  # kinds that have a vocabulary
_DERIVED = ("word_parts", "spellings", "shared_vocabulary")  # of a spec, from the vocabulary
_SPLITS = ("train", "test", "validation")
_CONTENT = "token_counts"  # of a spec, another where the content is


class DataMissing(ConfigError):
    """The data that a run was trained on are not there, and something needs examples."""


def of(dataset: Dataset) -> dict[str, Any]:
    """Returns what a trained model must know of `dataset`, as JSON; tokenizers are kept apart."""
    spec = {n: v for n, v in dataset.spec._asdict().items() if n not in _DERIVED}
    return {
        # One line of JSON, however large the vocabulary is.
        "spec": spec | {"shape": list(dataset.spec.shape), _CONTENT: _joined(dataset.spec)},
        "classes": list(dataset.labels),
        "attributes": list(dataset.attributes),
        "splits": {
            name: {"examples": int(source.num_examples), "streamed": bool(source.streamed)}
            for name, source in zip(_SPLITS, (dataset.train, dataset.test, dataset.validation))
            if source is not None
        },
        "found": dict(dataset.found),
    }


def dataset(
    record: Mapping[str, Any], words: Vocabulary | None, load: Callable[[], Dataset], name: str
) -> Dataset:
    """Makes the data set of a record, whose splits are read at first use.

    Args:
      record: as `of` gives it, or as its JSON reads back.
      words: what turned texts into tokens; None where the data are no texts.
      load: reads the data.
      name: of the data, for errors.

    Raises:
      ConfigError: the record is damaged, or there is no vocabulary for texts. At first use of a
        split `DataMissing` where `load` finds no data, and as `check` where they are others.
    """

    @functools.cache
    def real() -> Dataset:
        try:
            found = load()
        except ConfigError as error:
            message = f"{error} (this needs the data that the run was trained on)"
            raise DataMissing(message) from error
        check(record, found, name)
        return found

    try:
        spec = _spec(record["spec"])
        if spec.kind in _TEXTS:
            if words is None:
                raise ConfigError("the run's tokenizer is missing")
            if spec.kind in ("text", "sentence"):
                spec = spec._replace(word_parts=tokenizers.word_parts(words.x))
            if spec.kind in ("text", "sentence", "tagged"):
                spec = spec._replace(spellings=tokenizers.spellings(words.x))
            spec = spec._replace(shared_vocabulary=words.shared)
        splits: dict[str, Any] = {
            name: cast(Source, _Later(int(split["examples"]), bool(split["streamed"]), real, name))
            for name in _SPLITS
            if name != "validation" or name in record["splits"]
            for split in [record["splits"][name]]
        }
        labels, attributes = (tuple(map(str, record[n])) for n in ("classes", "attributes"))
        more: Any = {"attributes": attributes, "labels": labels, "found": dict(record["found"])}
        found = Dataset(spec, **splits, **more)
        if words is None:
            return found
        return found._replace(codec=words.x, target_codec=words.y, char_codec=words.chars)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, ConfigError):
            raise
        reason = f"{type(error).__name__}: {error}"[:100]
        raise ConfigError(f"the run's record of its data cannot be read ({reason})") from error


def check(record: Mapping[str, Any], dataset: Dataset, where: str) -> None:
    """Raises `ConfigError` if `dataset` has other shapes or names than `record` says.

    Where only the content is another, warns in one line.

    Args:
      record: as `of` gave it, possibly of an older version: what it does not say is not compared.
      dataset: the data that are there now.
      where: what errors begin with.
    """
    now = of(dataset)
    for name, what in (("classes", _classes(now)), ("attributes", "attributes")):
        if list(record.get(name, now[name])) != now[name]:
            raise others(where, what, record[name], now[name])
    there, here = record.get("spec", {}), now["spec"]
    for name in here:
        if name == _CONTENT or name not in there:
            continue
        before, after = (tuple(x) if isinstance(x, list) else x for x in (there[name], here[name]))
        if before != after:
            raise ConfigError(
                f"{where}: not what the run was trained on: {name} is {before!r} there, {after!r} "
                "here; give it the same data, or begin another run"
            )
    before, after = (r.get("found", {}).get("checksum") for r in (record, now))
    if before and after and before != after:
        sizes = [
            " + ".join(f"{r['splits'][n]['examples']:,}" for n in ("train", "test"))
            for r in (record, now)
        ]
        logging.warning(
            "warning: %s: other content than the run was trained on, of the same shapes and names "
            "(%s examples there, %s here)",
            where,
            *sizes,
        )


def others(where: str, what: str, there: Any, here: Any) -> ConfigError:
    """Makes the error for names that differ; both lists are cut short around what differs."""
    missing = [name for name in there if name not in here]
    added = [name for name in here if name not in there]
    differ = [f"{how} {_few(n, 2)}" for how, n in (("without", missing), ("with", added)) if n]
    return ConfigError(
        f"{where}: not what the run was trained on: {what} {_few(there, 4)} there, "
        f"{_few(here, 4)} here ({' and '.join(differ) or 'in another order'}); "
        "give it the same data, or begin another run"
    )


def _few(names: Any, most: int) -> str:
    short = [str(n) if len(str(n)) <= 20 else f"{str(n)[:19]}…" for n in names]
    return shorten(short, most) or "none"


def _classes(now: Mapping[str, Any]) -> str:
    return "tags" if now["spec"]["kind"] == "tagged" else "classes"


def _joined(spec: DataSpec) -> str:
    return " ".join(map(str, spec.token_counts))


def _spec(record: Mapping[str, Any]) -> DataSpec:
    known = {n: v for n, v in record.items() if n in DataSpec._fields and n not in _DERIVED}
    for name, value in known.items():
        if isinstance(value, list):
            known[name] = tuple(int(n) for n in value)
    known[_CONTENT] = tuple(int(n) for n in str(known.get(_CONTENT, "")).split())
    spec = DataSpec(**known)
    if not isinstance(spec.kind, str) or not spec.shape or min(spec.shape) < 1:
        raise ValueError(f"kind {spec.kind!r}, shape {spec.shape!r}")
    return spec


class _Later:
    """A split of the data that `real` reads; what the record knows of it costs no reading."""

    def __init__(self, num_examples: int, streamed: bool, real: Callable[[], Dataset], split: str):
        self.num_examples, self.streamed = num_examples, streamed
        self._real, self._split = real, split

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(getattr(self._real(), self._split), name)
