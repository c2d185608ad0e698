"""Few labels of texts: what encoders that learned without labels are worth on SST-2 and WNUT17.

    python -m experiments.few_labels_text --workdir=DIR --sst2=DIR --wnut17=DIR --corpus=DIR
        [--glove=FILE] [--tasks=sst2,wnut17] [--encoders=none,word2vec,…] [--ways=frozen,tuned]
        [--labels=100,1000,all] [--seeds=0,1,2] [--record=docs/few_labels_text.json] [--table_only]

DIR of --sst2 holds train.tsv and test.tsv, that of --wnut17 train.conll and test.conll, that of
--corpus definitions.txt.gz. Each encoder is trained once, in DIR/ENCODER, for about 10 minutes on 2
CPU cores: on definitions, or on these and the sentences of a task's training split (`_task`). Then,
for each choice of labels (a seed), a linear head on it (of WNUT17 a BiLSTM-CRF with characters)
learns alone (frozen) or together with it (tuned). `none` has vectors of words as well, which begin
at random.

The learning rate is chosen on a fifth of the labels, which are held out of training meanwhile, then
all labels are learned with it, and the test split judges once. What is done is kept in the file of
--record, one row for each task, encoder, way, number of labels and seed, and the tables in the page
beside it (.md). The same command resumes; a row of the same settings is not computed again, even
where DIR is gone. --table_only makes the page again.
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
from experiments.labeled_texts import HELD_OUT, TASKS, Split, Task
from genjax import recipes
from genjax.cli import launch, program
from genjax.core import files
from genjax.core.config import DURATIONS
from genjax.engine.compilation_cache import enable_compilation_cache
from genjax.engine.run import prepare
from genjax.engine.workdir import check_writable
from genjax.engine.writers import METRICS, read_metrics

CORPUS = "definitions.txt.gz"
WAYS = ("frozen", "tuned")
LABELS = ("100", "1000", "all")
_SCORES = ("accuracy", "nll")
_REPEATS = 10  # of the task's sentences among definitions


class Encoder(NamedTuple):
    """An encoder.

    Attributes:
      kind: of its vectors: a `table` of words, or a family's that reads words in their sentence.
      recipe: of its training; empty: none.
      changes: in that recipe.
      of_task: whether it learns the sentences of the task as well.
      file: the flag that names the file of its vectors.
    """

    kind: str = "table"
    recipe: str = ""
    changes: Mapping[str, Any] = MappingProxyType({})
    of_task: bool = False
    file: str = ""


_LOWER = {"data.lowercase": True}  # of the definitions, as of the tasks
_WORDS = _LOWER | {"data.vocab_size": 20_000}
_TRANSFORMER = {"scan": False, "positions": "rotary", "norm_first": True, "init_std": 0.0}
_BERT = _WORDS | {"steps": 4000}
_GPT = _WORDS | {
    "steps": 1500, "batch_size": 16, "data.tokenizer": "word",
    "data.min_count": 2, "data.name": f"text:{CORPUS}", "data.test_fraction": 0.02,
    "optimizer.learning_rate": 1e-3, "optimizer.schedule": "cosine",
    **{f"model.{name}": value for name, value in _TRANSFORMER.items()},
}  # fmt: skip
ENCODERS = {
    "none": Encoder(),
    "glove": Encoder(file="glove"),
    "word2vec": Encoder("table", "word2vec_definitions", _LOWER),
    "word2vec_task": Encoder("table", "word2vec_definitions", _LOWER, of_task=True),
    "elmo": Encoder("elmo", "elmo_definitions", _WORDS | {"steps": 800}),
    "gpt": Encoder("gpt", "gpt", _GPT),
    "bert": Encoder("bert", "bert_definitions", _BERT),
    "bert_task": Encoder("bert", "bert_definitions", _BERT, of_task=True),
}
_PAGE = """# Few labels of texts

Training sentences of which few show their labels: heads on encoders that learned from dictionary
definitions without labels, about 10 minutes each on 2 CPU cores, by

```bash
python -m experiments.few_labels_text --workdir=studies/few_labels_text --sst2=DIR --wnut17=DIR \\
    --corpus=DIR
```

`seeds` counts those of each column. A seed chooses the labels, as many of each class as its share
of the split (of WNUT17 as many sentences with an entity); encoders are trained once. Learning rates
were chosen on a fifth of the labels, held out of training meanwhile. `frozen`: a linear head (of
WNUT17 a BiLSTM-CRF that sees characters as well) on vectors that stay as they are, of encoders on a
learned mix of layers; `tuned`: everything learns. `none` begins with random vectors of words,
`word2vec` and `glove` are the same with theirs. Encoders called `_task` read the training
sentences, without labels and {repeats} times each, beside the definitions.

{tables}
"""


class Cell(NamedTuple):
    """One number: task, encoder, way, number of labels, seed, and the digest of all settings."""

    task: Task
    encoder: str
    way: str
    labels: str
    seed: int
    digest: str

    @property
    def method(self) -> str:
        """Returns what the record calls it."""
        return f"{self.task.name}/{self.encoder}/{self.way}/{self.labels}"

    @property
    def run(self) -> str:
        """Returns the name of the encoder's run."""
        of_task = ENCODERS[self.encoder].of_task
        return f"{self.encoder}_{self.task.name}" if of_task else self.encoder


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the study; returns the exit status."""
    return program.run(_few_labels_text, argv, trains=True)


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    folder = "studies/few_labels_text"
    flags.DEFINE_string("workdir", folder, "The study's folder; resumed if it is there.", **text)
    flags.DEFINE_string("sst2", "", "The folder of train.tsv and test.tsv.", **text)
    flags.DEFINE_string("wnut17", "", "The folder of train.conll and test.conll.", **text)
    flags.DEFINE_string("corpus", "", f"The folder of {CORPUS}.", **text)
    flags.DEFINE_string("glove", "", "A file of vectors; empty: no row of them.", **text)
    flags.DEFINE_list("tasks", list(TASKS), "Of which to learn.", **text)
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
        _cell(TASKS[task], name, way, labels, seed, values)
        for task in study.chosen(values, "tasks", TASKS)
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


def _cell(task: Task, name: str, way: str, labels: str, seed: int, values: Any) -> Cell:
    protocol: dict[str, Any] = {"task": task.name, "encoder": name, "labels": labels}
    protocol |= {"rates": task.rates[way], "held_out": HELD_OUT}
    if ENCODERS[name].recipe:
        pretrained = _pretraining(name, values)
        protocol |= {"of": record.digest(pretrained), "repeats": _repeats(name)}
    digest = record.digest(task.learner(ENCODERS[name].kind, way, labels), **protocol)
    return Cell(task, name, way, labels, seed, digest)


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


def _compute(cells: Sequence[Cell], path: Path, values: Any, command: str) -> int:
    """Trains what cells need, and the heads; each cell is recorded when it is through."""
    enable_compilation_cache()
    workdir = Path(values.workdir).expanduser().absolute()
    for folder in (workdir, path.parent):
        check_writable(folder)
    tasks = {cell.task.name: cell.task for cell in cells}
    splits = {name: task.split(values[name].value) for name, task in tasks.items()}
    ready: set[str] = set()
    for i, cell in enumerate(cells):
        split = splits[cell.task.name]
        if cell.run not in ready:
            status = _pretrained(cell, split, workdir, values, command)
            if status != program.DONE:
                return status
            ready.add(cell.run)
        print(f"{i + 1} of {len(cells)}: {cell.method}, seed {cell.seed}", flush=True)
        status, row = _judged(cell, split, workdir, values, command)
        if status != program.DONE:
            return status
        record.add(path, row)
        _write_page(path, values)
    return program.DONE


def _pretrained(cell: Cell, split: Split, workdir: Path, values: Any, command: str) -> int:
    """Trains a cell's encoder, or goes on with its run; returns an exit status."""
    encoder, folder = ENCODERS[cell.encoder], workdir / cell.run
    if not encoder.recipe:
        return program.DONE
    config = _pretraining(cell.encoder, values).copy_and_resolve_references().unlock()
    config.data.dir = values.corpus
    if encoder.of_task:
        texts = workdir / "texts" / cell.task.name
        config.data.dir = str(_joined(config, split, texts))
    print(f"encoder {cell.run}", flush=True)
    run = prepare(config.lock(), folder)
    status, _ = launch.train(run, folder, command)
    if status == program.DONE:
        study.check_ended(run, folder)
    return status


def _joined(config: ConfigDict, split: Split, folder: Path) -> Path:
    """Writes the corpus with the task's sentences in front; what is held out is its end."""
    path = folder / CORPUS
    if path.exists():
        return folder
    source = Path(config.data.dir).expanduser() / CORPUS
    lines = "".join(f"{words}\n" for words in split.words)
    with files.reading(source), gzip.open(source) as file:
        corpus = file.read()
    with files.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as file:
            file.write(gzip.compress(_REPEATS * lines.encode() + corpus, 1))
    return folder


def _judged(
    cell: Cell, split: Split, workdir: Path, values: Any, command: str
) -> tuple[int, record.Row]:
    """Chooses the rate, learns all labels with it, and judges: an exit status, and the row."""
    task, folder = cell.task, workdir / cell.method.replace("/", "_") / str(cell.seed)
    kind = ENCODERS[cell.encoder].kind
    config = task.learner(kind, cell.way, cell.labels).copy_and_resolve_references().unlock()
    config.seed, config.data.dir = cell.seed, values[task.name].value
    _begin(config, cell, workdir, values)
    shown = split.shown(cell.labels, 1.0, cell.seed)
    learned = split.shown(cell.labels, 1 - HELD_OUT, cell.seed)
    for name, chosen in (("all", shown), ("learned", learned), ("held_out", shown & ~learned)):
        task.write(folder / f"{name}.{task.form}", split, chosen)
    rates = task.rates[cell.way]
    numbers: dict[str, Any] = {
        "seeds": [cell.seed] * len(rates),
        "hyperparameters": {"optimizer.learning_rate": list(rates)},
    }
    choosing = config.copy_and_resolve_references().unlock()
    choosing.executor, choosing.optimizer.learning_rate = "vmap", max(rates)
    choosing.data.name = f"{task.form}:{folder / 'learned'}.{task.form}"
    choosing.data.test = f"{folder / 'held_out'}.{task.form}"
    run = prepare(choosing.lock(), folder / "choice", **numbers)
    status, _ = launch.train(run, folder / "choice", command)
    if status != program.DONE:
        return status, {}
    held_out = study.history(folder / "choice")
    best = task.best(held_out)
    config.optimizer.learning_rate = rates[best]
    config.data.name = f"{task.form}:{folder / 'all'}.{task.form}"
    status, _ = launch.train(prepare(config.lock(), folder / "final"), folder / "final", command)
    if status != program.DONE:
        return status, {}
    row = {"method": cell.method, "seed": cell.seed, "config": cell.digest, "rate": rates[best]}
    row |= {f"held_out_{n}": float(held_out[f"eval/{n}"].value[-1][best]) for n in _SCORES}
    row["seconds"] = read_metrics(folder / "final" / METRICS)[-1].get("wall_seconds", math.nan)
    row |= task.judged(folder / "final")
    if file := ENCODERS[cell.encoder].file:
        row["file"] = Path(values[file].value).name
    shutil.rmtree(folder)
    return program.DONE, row


def _begin(config: ConfigDict, cell: Cell, workdir: Path, values: Any) -> None:
    """Says what the run begins with."""
    encoder = ENCODERS[cell.encoder]
    if encoder.recipe:
        config.start.workdir = str(workdir / cell.run)
    elif encoder.file:
        config.start.workdir = str(Path(values[encoder.file].value).expanduser().absolute())


def _write_page(path: Path, values: Any) -> None:
    """Writes and prints the tables of what is recorded with today's settings."""
    done, parts = record.read(path), []
    for task in TASKS.values():
        rows: list[study.Row] = []
        for name in ENCODERS:
            for way in WAYS:
                found = {
                    labels: record.find(done, cell.method, cell.digest)
                    for labels in LABELS
                    for cell in [_cell(task, name, way, labels, 0, values)]
                }
                if any(found.values()):
                    rows.append(_row(task, name, way, found))
        if rows:
            print(f"{task.about}\n\n{study.plain(rows)}\n", flush=True)
            rates = "; ".join(
                f"{way} {', '.join(f'{rate:g}' for rate in rates)}"
                for way, rates in task.rates.items()
            )
            parts.append(f"## {task.about}\n\n{study.markdown(rows)}\n\nLearning rates: {rates}.")
    text = _PAGE.format(repeats=_REPEATS, tables="\n\n".join(parts) or record.NOTHING)
    print(record.write_page(path, text), flush=True)


def _row(task: Task, name: str, way: str, found: Mapping[str, Sequence[record.Row]]) -> study.Row:
    row: dict[str, Any] = {"encoder": name, "way": way if name != "none" else "trained"}
    for labels, rows in found.items():
        row[f"{labels} labels"] = np.array([100 * r[task.score] for r in rows]) if rows else ""
    return row | {"seeds": ", ".join(str(len(rows)) for rows in found.values())}


if __name__ == "__main__":
    sys.exit(main())
