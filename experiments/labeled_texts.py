"""Tasks of texts that few labels are learned from: classes of sentences, entities in them."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from experiments import study
from genjax import families
from genjax.core import files
from genjax.data.labeled import stratified
from genjax.data.text import loading
from genjax.engine.writers import METRICS, read_metrics
from genjax.evaluation.text import scores
from genjax.trained.loading import load

HELD_OUT = 0.2  # of the labels, to choose by
_BATCH = 32  # sentences
_LENGTH = 48  # words of a sentence
_OUTSIDE = "O"  # the tag of words that are no entity


class Split(NamedTuple):
    """The training split of a task, N sentences.

    Attributes:
      rows: as a file of the task has them.
      words: of each sentence, between blanks.
      kinds: (N,), each kind has the same share of what is chosen.
    """

    rows: Sequence[str]
    words: Sequence[str]
    kinds: np.ndarray

    def shown(self, labels: str, share: float, seed: int) -> np.ndarray:
        """Marks the sentences whose label is known, or that share of them."""
        number = len(self.rows) if labels == "all" else int(labels)
        return stratified(self.kinds, round(share * number), seed)


@dataclass(frozen=True)
class Task(ABC):
    """A task.

    Attributes:
      name: of its folder's flag, and in the record.
      form: of its files, `tsv` or `conll`: train.FORM and test.FORM.
      score: the number that tables show.
      about: what its table is of, in a line.
      updates: by the number of labels.
      rates: learning rates to choose from, by the way.
    """

    name: str
    form: str
    score: str
    about: str
    updates: Mapping[str, int]
    rates: Mapping[str, Sequence[float]]

    @abstractmethod
    def config(self, kind: str, way: str) -> ConfigDict:
        """Makes a config on an encoder of `kind`, but for its data, length and rate."""

    @abstractmethod
    def kind(self, labels: Any) -> str:
        """Returns the kind of a sentence with such labels; see `Split`."""

    @abstractmethod
    def row(self, text: Any, labels: Any) -> str:
        """Writes a sentence as a file of the task has it."""

    def words(self, text: Any) -> str:
        """Returns the words of a sentence."""
        return text if isinstance(text, str) else " ".join(text)

    def best(self, held_out: Mapping[str, study.Series]) -> int:
        """Returns the member of a population that did best on held-out sentences."""
        nll = held_out["eval/nll"].value[-1]
        return int(np.argmin(np.where(np.isfinite(nll), nll, np.inf)))

    def judged(self, folder: Path) -> dict[str, float]:
        """Returns what the run in `folder` reached on the test split."""
        rows = read_metrics(folder / METRICS)
        last = [row for row in rows if "eval/nll" in row][-1]
        names = ("accuracy", "nll")
        return {name: float(last[f"eval/{name}"]) for name in names}

    def learner(self, kind: str, way: str, labels: str) -> ConfigDict:
        """Makes the config of a run on an encoder, but for what names files and the rate."""
        c = self.config(kind, way)
        c.steps, c.batch_size, c.ema_decay = self.updates[labels], _BATCH, 0.99
        c.data.update(name=f"{self.form}:train.{self.form}", test=f"test.{self.form}")
        c.data.update(vocab_size=20_000, length=_LENGTH)
        for encoder in (c.model.bert, c.model.gpt):
            encoder.scan = False
        c.optimizer.update(schedule="linear", warmup_steps=20)
        c.log_every = 100
        return c.lock()

    def split(self, folder: str) -> Split:
        """Reads the training split; raises `ConfigError` where it is not there."""
        c = self.learner("table", "tuned", "all").copy_and_resolve_references().unlock()
        c.data.dir = folder
        found = [(text, labels) for text, labels, *_ in loading.read(c.data, "train")]
        kinds = np.unique([self.kind(labels) for _, labels in found], return_inverse=True)[1]
        rows = [self.row(text, labels) for text, labels in found]
        return Split(rows, [self.words(text) for text, _ in found], kinds)

    def write(self, path: Path, split: Split, chosen: np.ndarray) -> None:
        """Writes the chosen sentences; a run that goes on finds the same file."""
        with files.writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                files.write_whole(path, "".join(itertools.compress(split.rows, chosen)))


class Sentiment(Task):
    """SST-2: whether a sentence of a film review likes the film."""

    def config(self, kind: str, way: str) -> ConfigDict:
        """See `Task`: a linear layer on the mean of a sentence's vectors."""
        c = families.default_config("classifier").unlock()
        if kind == "table":
            c.model.update(network="bag", layers=0, embed_dim=100, word_dropout=0.2)
        else:
            c.model.update(network=kind, pooling="mean", mix=True, word_dropout=0.1)
        c.optimizer.encoder_lr_scale = float(way == "tuned")
        return c

    def kind(self, labels: Any) -> str:
        """See `Task`: the class."""
        return str(labels)

    def row(self, text: Any, labels: Any) -> str:
        """See `Task`."""
        return f"{text}\t{labels}\n"

    def best(self, held_out: Mapping[str, study.Series]) -> int:
        """See `Task`: by the accuracy, of equal ones by the likelihood."""
        accuracy, nll = (held_out[f"eval/{name}"].value[-1] for name in ("accuracy", "nll"))
        return max(range(len(accuracy)), key=lambda i: (accuracy[i], -nll[i]))


class Entities(Task):
    """WNUT 2017: rare and new entities, by a BiLSTM-CRF that sees characters as well."""

    def config(self, kind: str, way: str) -> ConfigDict:
        """See `Task`."""
        c = families.default_config("tagger").unlock()
        c.data.lowercase = True
        c.model.words = kind
        if kind == "table":
            c.model.word_dropout = 0.5
            c.optimizer.groups = () if way == "tuned" else ("scorer/words=0",)
        else:
            c.model.update(mix=True, word_dropout=0.1)
            c.optimizer.encoder_lr_scale = float(way == "tuned")
        return c

    def kind(self, labels: Any) -> str:
        """See `Task`: whether there is an entity."""
        return str(any(tag != _OUTSIDE for tag in labels))

    def row(self, text: Any, labels: Any) -> str:
        """See `Task`."""
        return "".join(self._lines(text, labels)) + "\n"

    def _lines(self, words: Sequence[str], tags: Sequence[str]) -> Iterator[str]:
        return (f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True))

    def judged(self, folder: Path) -> dict[str, float]:
        """See `Task`: of whole entities."""
        found = super().judged(folder)
        numbers, _ = scores.of_model(load(folder), found)
        return found | {name: float(numbers[name]) for name in ("f1", "precision", "recall")}


_LABELS = {"100": 200, "1000": 400, "all": 1000}
_TAGGER_RATES = (1e-3, 3e-3, 1e-2)
TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Sentiment(
            "sst2", "tsv", "accuracy", "SST-2: accuracy in % on the 1,821 test sentences, of 6,920",
            _LABELS, {"frozen": (3e-3, 1e-2, 3e-2, 0.1), "tuned": (5e-4, 2e-3, 1e-2)},
        ),
        Entities(
            "wnut17", "conll", "f1",
            "WNUT17: F1 of entities in %, in 1,287 test sentences, of 3,394",
            _LABELS, {"frozen": _TAGGER_RATES, "tuned": _TAGGER_RATES},
        ),
    )
}  # fmt: skip
