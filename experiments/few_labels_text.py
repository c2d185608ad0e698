"""Few labels of texts: what encoders that learned without labels are worth on SST-2.

    python -m experiments.few_labels_text --workdir=DIR --sst2=DIR --corpus=DIR [--glove=FILE]
        [--encoders=none,word2vec,…] [--ways=frozen,tuned] [--labels=100,1000,all]
        [--seeds=0,1,2] [--record=docs/few_labels_text.json] [--table_only]

DIR of --sst2 holds train.tsv and test.tsv, that of --corpus definitions.txt.gz. Each encoder is
trained once, in DIR/ENCODER, for about 10 minutes on 2 CPU cores: on definitions, or on these and
the sentences of the training split (`_task`). Then, for each choice of labels (a seed), a linear
head on it learns alone (frozen) or together with it (tuned). `none` is the same bag of words as
that on vectors, from random ones.

The learning rate is chosen by the accuracy on a fifth of the labels, which are held out of training
meanwhile, then all labels are learned with it, and the test split judges once. What is done is kept
in the file of --record, one row for each encoder, way, number of labels and seed, and the table in
the page beside it (.md). The same command resumes; a row of the same settings is not computed
again, even where DIR is gone. --table_only makes the page again.
"""

import gzip
import math
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from ml_collections import ConfigDict

from experiments import record, study
from genjax import families, recipes
from genjax.cli import launch, program
from genjax.core import files
from genjax.core.config import DURATIONS
from genjax.data.labeled import stratified
from genjax.data.text import loading
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.compilation_cache import enable_compilation_cache
from genjax.engine.layout import CHECKPOINTS
from genjax.engine.run import prepare
from genjax.engine.workdir import check_writable
from genjax.engine.writers import METRICS, read_metrics

CORPUS = "definitions.txt.gz"
WAYS = ("frozen", "tuned")
LABELS = {"100": 200, "1000": 400, "all": 1000}  # updates of 32 sentences each
RATES = {"frozen": (3e-3, 1e-2, 3e-2, 0.1), "tuned": (5e-4, 2e-3, 1e-2)}
_HELD_OUT = 0.2  # of the labels, to choose by
_REPEATS = 10  # of the task's sentences among definitions
_LENGTH = 48  # words of a sentence
_SCORES = ("accuracy", "nll")


class Encoder(NamedTuple):
    """An encoder.

    Attributes:
      network: what differs in the section `model` of the classifier on it.
      recipe: of its training; empty: none.
      changes: in that recipe.
      of_task: whether it learns the sentences of the task as well.
      file: the flag that names the file of its vectors.
    """

    network: Mapping[str, Any]
    recipe: str = ""
    changes: Mapping[str, Any] = MappingProxyType({})
    of_task: bool = False
    file: str = ""


_BAG = {"network": "bag", "layers": 0, "embed_dim": 100, "word_dropout": 0.2}
_MIXED = {"pooling": "mean", "mix": True, "word_dropout": 0.1}
_WORDS = {"data.vocab_size": 20_000}
_TRANSFORMER = {"scan": False, "positions": "rotary", "norm_first": True, "init_std": 0.0}
_BERT = _WORDS | {"steps": 4000}
_GPT = _WORDS | {
    "steps": 1500, "batch_size": 16, "data.tokenizer": "word",
    "data.min_count": 2, "data.name": f"text:{CORPUS}", "data.test_fraction": 0.02,
    "optimizer.learning_rate": 1e-3, "optimizer.schedule": "cosine",
    **{f"model.{name}": value for name, value in _TRANSFORMER.items()},
}  # fmt: skip
ENCODERS = {
    "none": Encoder(_BAG),
    "glove": Encoder(_BAG, file="glove"),
    "word2vec": Encoder(_BAG, "word2vec_definitions"),
    "word2vec_task": Encoder(_BAG, "word2vec_definitions", of_task=True),
    "elmo": Encoder(_MIXED | {"network": "elmo"}, "elmo_definitions", _WORDS | {"steps": 800}),
    "gpt": Encoder(_MIXED | {"network": "gpt"}, "gpt", _GPT),
    "bert": Encoder(_MIXED | {"network": "bert"}, "bert_definitions", _BERT),
    "bert_task": Encoder(_MIXED | {"network": "bert"}, "bert_definitions", _BERT, of_task=True),
}
_PAGE = """# Few labels of texts

SST-2, of whose 6,920 training sentences few show their label: classifiers on encoders that learned
from dictionary definitions without labels, about 10 minutes each on 2 CPU cores, by

```bash
python -m experiments.few_labels_text --workdir=studies/few_labels_text --sst2=DIR --corpus=DIR
```

Accuracy in % on the 1,821 test sentences; `seeds` counts those of each column. A seed chooses the
labels, as many of each class as its share of the split; encoders are trained once. Learning rates
were chosen on a fifth of the labels, held out of training meanwhile, from {rates}.
`frozen`: a linear head on vectors that stay as they are, of encoders on a learned mix of layers;
`tuned`: everything learns. `none` is a bag of words with a table of its own, `word2vec` and `glove`
are the same bag with their vectors. Encoders called `_task` read the training sentences, without
labels and {repeats} times each, beside the definitions.

{table}
"""


class Cell(NamedTuple):
    """One number: encoder, way, number of labels, seed, and the digest of all its settings."""

    encoder: str
    way: str
    labels: str
    seed: int
    digest: str

    @property
    def method(self) -> str:
        """Returns what the record calls it."""
        return f"{self.encoder}/{self.way}/{self.labels}"


class Task(NamedTuple):
    """The labeled sentences: where they are, and the training split's, with their classes."""

    folder: str
    sentences: Sequence[str]
    labels: Sequence[str]

    def shown(self, labels: str, share: float, seed: int) -> np.ndarray:
        """Marks the sentences whose label is known, or that share of them."""
        number = len(self.labels) if labels == "all" else int(labels)
        numbers = np.unique(np.array(self.labels), return_inverse=True)[1]
        return stratified(numbers, round(share * number), seed)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the study; returns the exit status."""
    return program.run(_few_labels_text, argv, trains=True)


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    folder = "studies/few_labels_text"
    flags.DEFINE_string("workdir", folder, "The study's folder; resumed if it is there.", **text)
    flags.DEFINE_string("sst2", "", "The folder of train.tsv and test.tsv.", **text)
    flags.DEFINE_string("corpus", "", f"The folder of {CORPUS}.", **text)
    flags.DEFINE_string("glove", "", "A file of vectors; empty: no row of them.", **text)
    flags.DEFINE_list("encoders", list(ENCODERS), "Which of them to compare.", **text)
    flags.DEFINE_list("ways", list(WAYS), "Whether the encoder learns.", **text)
    flags.DEFINE_list("labels", list(LABELS), "How many sentences show theirs.", **text)
    flags.DEFINE_list("seeds", ["0", "1", "2"], "Of the choice of labels.", **text)
    flags.DEFINE_integer("steps", 0, "Length of encoders' runs; 0: as recorded.", 0, **text)
    flags.DEFINE_string("record", "docs/few_labels_text.json", "The file of what is done.", **text)
    flags.DEFINE_bool("table_only", False, "Make the page again, train nothing.", **text)


def _few_labels_text(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    names, ways = (study.chosen(values, f, k) for f, k in (("encoders", ENCODERS), ("ways", WAYS)))
    numbers, seeds = study.chosen(values, "labels", LABELS), study.numbers(values, "seeds", "0,1,2")
    path = record.path(values.record)
    names = [n for n in names if n != "glove" or values.glove]
    cells = [
        _cell(name, way, labels, seed, values)
        for labels in numbers
        for seed in seeds
        for name in names
        for way in ways
        if way == "tuned" or name != "none"  # a head on random vectors that stay
    ]
    done, status = record.read(path), program.DONE
    missing = [c for c in cells if not record.find(done, c.method, c.digest, c.seed)]
    if missing and not values.table_only:
        status = _compute(missing, path, values, program.command("few_labels_text", *argv))
    if status not in (program.BAD, program.STOPPED):
        _write_page(path, values)
    return status


def _cell(name: str, way: str, labels: str, seed: int, values: Any) -> Cell:
    protocol: dict[str, Any] = {"encoder": name, "labels": labels, "rates": RATES[way]}
    protocol |= {"held_out": _HELD_OUT}
    if ENCODERS[name].recipe:
        pretrained = _pretraining(name, values)
        protocol |= {"of": record.digest(pretrained), "repeats": _repeats(name)}
    if ENCODERS[name].file:
        protocol["file"] = Path(values[ENCODERS[name].file].value).name
    digest = record.digest(_classifier(name, way, labels), **protocol)
    return Cell(name, way, labels, seed, digest)


def _repeats(name: str) -> int:
    return _REPEATS if ENCODERS[name].of_task else 0


def _pretraining(name: str, values: Any) -> ConfigDict:
    """Makes the config of an encoder's run, but for its folder of data."""
    encoder = ENCODERS[name]
    c = recipes.load(encoder.recipe).copy_and_resolve_references().unlock()
    steps = values.steps or encoder.changes.get("steps", 0)
    if steps:
        c.update({duration: type(c[duration])(0) for duration in DURATIONS})
    c.update_from_flattened_dict({**encoder.changes, **({"steps": steps} if steps else {})})
    c.update({"eval_every": 0, "sample_every": 0, "checkpoint_every": 500})
    return c.lock()


def _classifier(name: str, way: str, labels: str) -> ConfigDict:
    """Makes the config of a classifier of all labels, but for what names files and the rate."""
    c = families.default_config("classifier").unlock()
    c.steps, c.batch_size, c.ema_decay = LABELS[labels], 32, 0.99
    c.data.update(name="tsv:train.tsv", test="test.tsv", vocab_size=20_000, length=_LENGTH)
    c.model.update(ENCODERS[name].network)
    for encoder in (c.model.bert, c.model.gpt):
        encoder.scan = False
    c.optimizer.update(schedule="linear", warmup_steps=20)
    c.optimizer.encoder_lr_scale = float(way == "tuned")
    c.log_every = 100
    return c.lock()


def _compute(cells: Sequence[Cell], path: Path, values: Any, command: str) -> int:
    """Trains what cells need, and the classifiers; each cell is recorded when it is through."""
    enable_compilation_cache()
    workdir = Path(values.workdir).expanduser().absolute()
    for folder in (workdir, path.parent):
        check_writable(folder)
    task = _task(values)
    for i, cell in enumerate(cells):
        status = _pretrained(cell.encoder, task, workdir, values, command)
        if status != program.DONE:
            return status
        print(f"{i + 1} of {len(cells)}: {cell.method}, seed {cell.seed}", flush=True)
        status, row = _judged(cell, task, workdir, values, command)
        if status != program.DONE:
            return status
        record.add(path, row)
        _write_page(path, values)
    return program.DONE


def _task(values: Any) -> Task:
    """Reads the training split."""
    c = _classifier("none", "tuned", "all").copy_and_resolve_references().unlock()
    c.data.dir = values.sst2
    rows = list(loading.read(c.data, "train"))
    return Task(values.sst2, [r[0] for r in rows], [r[1] for r in rows])


def _pretrained(name: str, task: Task, workdir: Path, values: Any, command: str) -> int:
    """Trains an encoder, or goes on with its run; returns an exit status."""
    encoder, folder = ENCODERS[name], workdir / name
    if not encoder.recipe:
        return program.DONE
    config = _pretraining(name, values).copy_and_resolve_references().unlock()
    if config.steps in Checkpoints(folder / CHECKPOINTS).steps():
        return program.DONE
    config.data.dir = values.corpus
    if encoder.of_task:
        config.data.dir = str(_joined(config, task, workdir))
    print(f"encoder {name}", flush=True)
    status, _ = launch.train(prepare(config.lock(), folder), folder, command)
    return status


def _joined(config: ConfigDict, task: Task, workdir: Path) -> Path:
    """Writes the corpus with the task's sentences in front; what is held out is its end."""
    folder = workdir / "texts"
    path = folder / CORPUS
    if path.exists():
        return folder
    source = Path(config.data.dir).expanduser() / CORPUS
    lines = "".join(f"{sentence}\n" for sentence in task.sentences)
    with files.reading(source), gzip.open(source) as file:
        corpus = file.read()
    with files.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as file:
            file.write(gzip.compress(_REPEATS * lines.encode() + corpus, 1))
    return folder


def _judged(
    cell: Cell, task: Task, workdir: Path, values: Any, command: str
) -> tuple[int, record.Row]:
    """Chooses the rate, learns all labels with it, and judges: an exit status, and the row."""
    folder = workdir / cell.method.replace("/", "_") / str(cell.seed)
    config = _classifier(cell.encoder, cell.way, cell.labels).copy_and_resolve_references().unlock()
    config.seed = cell.seed
    config.data.dir, config.data.labeled_seed = task.folder, cell.seed
    _begin(config, cell.encoder, workdir, values)
    choosing = _choosing(config, cell, task, folder)
    rates = RATES[cell.way]
    numbers: dict[str, Any] = {
        "seeds": [cell.seed] * len(rates),
        "hyperparameters": {"optimizer.learning_rate": list(rates)},
    }
    run = prepare(choosing, folder / "choice", **numbers)
    status, _ = launch.train(run, folder / "choice", command)
    if status != program.DONE:
        return status, {}
    held_out = study.history(folder / "choice")
    accuracy, nll = (held_out[f"eval/{name}"].value[-1] for name in _SCORES)
    best = max(range(len(rates)), key=lambda i: (accuracy[i], -nll[i]))
    config.optimizer.learning_rate = rates[best]
    if cell.labels != "all":
        config.data.num_labeled = int(cell.labels)
    status, _ = launch.train(prepare(config.lock(), folder / "final"), folder / "final", command)
    if status != program.DONE:
        return status, {}
    rows = read_metrics(folder / "final" / METRICS)
    found = {name: row[f"eval/{name}"] for row in rows for name in _SCORES if f"eval/{name}" in row}
    row = {"method": cell.method, "seed": cell.seed, "config": cell.digest, "rate": rates[best]}
    row |= {"held_out": float(accuracy[best]), "seconds": rows[-1].get("wall_seconds", math.nan)}
    shutil.rmtree(folder)
    return program.DONE, row | {name: float(value) for name, value in found.items()}


def _begin(config: ConfigDict, name: str, workdir: Path, values: Any) -> None:
    """Says what the classifier begins with."""
    encoder = ENCODERS[name]
    if encoder.recipe:
        config.start.workdir = str(workdir / name)
    elif encoder.file:
        config.start.workdir = str(Path(values[encoder.file].value).expanduser().absolute())


def _choosing(config: ConfigDict, cell: Cell, task: Task, folder: Path) -> ConfigDict:
    """Makes the population of all rates, which learns four fifths of the labels."""
    shown = task.shown(cell.labels, 1.0, cell.seed)
    learned = task.shown(cell.labels, 1 - _HELD_OUT, cell.seed)
    path = folder / "held_out.tsv"
    held_out = map(int, np.flatnonzero(shown & ~learned))
    rows = (f"{task.sentences[i]}\t{task.labels[i]}\n" for i in held_out)
    with files.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():  # a run that goes on finds the same file
            files.write_whole(path, "".join(rows))
    c = config.copy_and_resolve_references().unlock()
    c.executor, c.optimizer.learning_rate = "vmap", max(RATES[cell.way])
    c.data.test, c.data.num_labeled = str(path), int(learned.sum())
    return c.lock()


def _write_page(path: Path, values: Any) -> None:
    """Writes and prints the table of what is recorded with today's settings."""
    done = record.read(path)
    rows: list[study.Row] = []
    for name in ENCODERS:
        for way in WAYS:
            found = {
                labels: record.find(done, cell.method, cell.digest)
                for labels in LABELS
                for cell in [_cell(name, way, labels, 0, values)]
            }
            if any(found.values()):
                rows.append(_row(name, way, found))
    table = study.markdown(rows) if rows else record.NOTHING
    text = _PAGE.format(
        rates=" and ".join(
            f"{', '.join(f'{rate:g}' for rate in rates)} ({way})" for way, rates in RATES.items()
        ),
        repeats=_REPEATS,
        table=table,
    )
    page = record.write_page(path, text)
    print(f"{study.plain(rows) if rows else table}\n\n{page}", flush=True)


def _row(name: str, way: str, found: Mapping[str, Sequence[record.Row]]) -> study.Row:
    row: dict[str, Any] = {"encoder": name, "way": way if name != "none" else "trained"}
    for labels, rows in found.items():
        row[f"{labels} labels"] = np.array([100 * r["accuracy"] for r in rows]) if rows else ""
    return row | {"seeds": ", ".join(str(len(rows)) for rows in found.values())}


if __name__ == "__main__":
    sys.exit(main())
