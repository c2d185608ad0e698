"""Several tasks in one network against a network for each: what joint training gains or costs.

    python -m experiments.joint_training --workdir=DIR [--data=views|overlays|texts|digits]
        [--texts=FOLDER] [--methods=single,equal,…] [--seeds=5] [--rates=3e-4,1e-3,3e-3] [--steps=N]

`views`: class, group, rotation and mirroring of pictures of Fashion-MNIST; with `--labels=N` the
first two have N labeled pictures each. `overlays`: the classes of two pictures that lie over each
other. `texts`: sentiment (SST-2), whether a message names anything (WNUT17) and what service a
dialogue is about, in one vocabulary; FOLDER has `sst2`, `wnut17` and `dialogues`, of which those
about one service are taken. `digits`: views of the bundled digits, in minutes.

- `single`: a run for each task alone. Of views and texts it has its part of the updates, so that as
  many examples are seen; an overlay is an example of both tasks, and each run has all updates.
- `equal`: one network, every task as often, all weights 1: the bar.
- `by_size`: tasks are seen as often as they have examples.
- `uncertainty`: weights that are learned (Kendall et al. 2018).
- `pcgrad`: projected gradients (Yu et al. 2020).

Each method has the rate of `--rates` whose accuracy, the mean over the tasks, is best for
`--tune_seeds` seeds on a tenth of the training split, of which it does not learn; a single task has
a rate of its own. With it every method is one population of seeds on the whole training split, and
is evaluated once, at its end, on the test split. The same command again resumes.

DIR gets results.md and results.json: the accuracy of each task, with standard errors over seeds,
and seconds. For orientation, on MultiMNIST with a LeNet joint training has 90.3 and 90.0 %, PCGrad
95 to 96.6 and 92 to 95.5 (Yu et al. 2020); Kurin et al. 2022 find that a tuned sum of the losses,
`equal`, is as good as what weighs or projects.
"""

import gzip
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags
from ml_collections import ConfigDict

from experiments import study
from genjax import recipes
from genjax.cli import program
from genjax.core import files
from genjax.core.config import ConfigError
from genjax.families.multitask import text_config

METHODS = ("single", "equal", "by_size", "uncertainty", "pcgrad")
DATA = ("views", "overlays", "texts", "digits")
_EVEN = 1e6  # a temperature at which every task is seen as often
_VALIDATION = 0.1
_UNLABELED = ("rotation", "flip")  # tasks whose classes nobody has to write down
_TEXT_TASKS = ("sentiment", "entities", "service")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the study; returns the exit status."""
    return program.run(_joint_training, argv, trains=True)


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    study.define(values, METHODS)
    flags.DEFINE_enum("data", "views", list(DATA), "What the tasks are.", **text)
    flags.DEFINE_string("texts", "", "Folder of sst2, wnut17 and dialogues.", **text)
    flags.DEFINE_integer("labels", 0, "Of class and group, of views; 0: all.", 0, **text)
    flags.DEFINE_list("rates", ["3e-4", "1e-3", "3e-3"], "To choose from; one: no choice.", **text)
    flags.DEFINE_integer("tune_seeds", 2, "Seeds that a rate is chosen by.", 1, **text)


def _joint_training(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    methods = study.chosen(values, "methods", METHODS)
    rates, base = _rates(values.rates), base_config(values)
    command = program.command("joint_training", *argv)
    folder = Path(values.workdir).expanduser()
    chosen = {name: rates[0] for name in _parts(base, methods)}
    if len(rates) > 1:
        tried = {
            f"tuning/{part}/{rate:g}": _run(base, part, rate, values, tune=True)
            for part in chosen
            for rate in rates
        }
        status = study.train(folder, tried, command)
        if status in (program.BAD, program.STOPPED):
            return status
        chosen = {part: _best(folder / "tuning" / part, rates) for part in chosen}
    runs = {part: _run(base, part, rate, values) for part, rate in chosen.items()}
    status = study.train(folder, runs, command)
    if status in (program.BAD, program.STOPPED):
        return status
    rows = [_row(folder, method, tuple(base.data.tasks), chosen) for method in methods]
    study.report(folder, {values.data: rows}, {})
    return status


def base_config(values: Any) -> ConfigDict:
    """Makes the config that all runs vary.

    Raises:
      ConfigError: texts are missing, or labels are asked for where there is no choice.
    """
    if values.labels and values.data not in ("views", "digits"):
        raise ConfigError(f"--labels={values.labels}: must be 0 with --data={values.data}")
    if bool(values.texts) != (values.data == "texts"):
        message = "must be a folder with sst2, wnut17 and dialogues with --data=texts, else empty"
        raise ConfigError(f"--texts={values.texts}: {message}")
    if values.data == "texts":
        return _texts(values)
    name = "multitask" if values.data == "digits" else f"multitask_fashion:{values.data}"
    c = recipes.load(name).unlock()
    if values.labels:
        c.data.sizes = tuple(0 if n in _UNLABELED else values.labels for n in c.data.tasks)
    c.steps = values.steps or c.steps
    return c


def _texts(values: Any) -> ConfigDict:
    c, folder = text_config(), Path(values.workdir).expanduser() / "texts"
    for split in ("train", "test"):
        path = folder / f"{split}.tsv"
        if not path.exists():
            lines = list(read_texts(Path(values.texts).expanduser(), split))
            with files.writing(f"--workdir={values.workdir}"):
                folder.mkdir(parents=True, exist_ok=True)
                files.write_whole(path, "".join(lines))
    c.data.update(name=f"tsv:{folder}/train.tsv", test=f"{folder}/test.tsv", tasks=_TEXT_TASKS)
    c.data.update(length=48, vocab_size=20_000, min_count=2)
    c.model.update(hidden=64, embed_dim=100)
    c.steps, c.batch_size = values.steps or 3000, 64
    c.optimizer.schedule = "cosine"
    return c


def read_texts(folder: Path, split: str) -> Iterator[str]:
    """Yields lines `text<TAB>task/class` of a split, `train` or `test`, of the three data sets.

    Of dialogues those about one service that the training split has; the last words are kept, where
    the user says what is wanted.

    Raises:
      ConfigError: a file cannot be read.
    """
    with files.reading(f"--texts={folder}"):
        for line in (folder / "sst2" / f"{split}.tsv").read_text().splitlines():
            text, _, label = line.rpartition("\t")
            yield f"{text}\tsentiment/{'good' if label == '1' else 'bad'}\n"
        words_and_tags = (folder / "wnut17" / f"{split}.conll").read_text().splitlines()
        for filled, lines in itertools.groupby(words_and_tags, lambda line: bool(line.strip())):
            words, tags = zip(*(line.split("\t") for line in lines)) if filled else ((), ())
            if words:
                some = "some" if any(tag != "O" for tag in tags) else "none"
                yield f"{' '.join(words)}\tentities/{some}\n"
        known = set(_column(folder, "train", "service"))
        pairs = zip(*(_column(folder, split, name) for name in ("context", "service")))
        for context, service in pairs:
            if "+" not in service and service in known:
                yield f"{' '.join(context.split()[-40:])}\tservice/{service}\n"


def _column(folder: Path, split: str, name: str) -> Iterator[str]:
    with gzip.open(folder / "dialogues" / f"{split}.{name}.gz", "rt", encoding="utf-8") as lines:
        yield from (line.strip().replace("\t", " ") for line in lines)


def _rates(given: Sequence[str]) -> list[float]:
    try:
        rates = [float(rate) for rate in given]
    except ValueError:
        rates = []
    if not rates or not all(0 < rate < 1 for rate in rates) or len(set(rates)) < len(rates):
        message = "must be different numbers between 0 and 1"
        raise ConfigError(f"--rates={','.join(given)}: {message}")
    return rates


def _parts(base: ConfigDict, methods: Sequence[str]) -> list[str]:
    """Names the runs of the methods: `single` has one for each task."""
    single = [f"single/{task}" for task in base.data.tasks]
    return [part for m in methods for part in (single if m == "single" else [m])]


def _run(base: ConfigDict, part: str, rate: float, values: Any, tune: bool = False) -> ConfigDict:
    """Makes the run of a method, or of a single task: a population of seeds."""
    c = base.copy_and_resolve_references().unlock()
    method, _, task = part.partition("/")
    if task:
        place = c.data.tasks.index(task)
        if values.data != "overlays":
            c.steps = -(-c.steps // len(c.data.tasks))
        c.data.sizes = c.data.sizes[place : place + 1]
        c.data.groups = c.data.groups if task == "group" else ()
        c.data.tasks = (task,)
    c.loss.method = method if method in ("uncertainty", "pcgrad") else "fixed"
    c.data.temperature = 1.0 if method == "by_size" else _EVEN
    c.data.validation_fraction = _VALIDATION if tune else 0.0
    c.optimizer.learning_rate = rate
    c.executor, c.num_seeds = "vmap", values.tune_seeds if tune else values.seeds
    c.eval_every, c.checkpoint_every = 0, max(1, c.steps // 4)
    c.log_every = max(1, c.steps // 20)
    return c.lock()


def _last(run: Path, name: str) -> np.ndarray:
    """Returns a number of the last evaluation of each member; NaN where there is none."""
    series = study.history(run).get(f"eval/{name}")
    return np.array([np.nan]) if series is None else series.value[-1]


def _best(folder: Path, rates: Sequence[float]) -> float:
    """Returns the rate of the best mean accuracy over seeds; one that diverged is none."""
    scores = [np.mean(_last(folder / f"{rate:g}", "accuracy")) for rate in rates]
    return rates[int(np.argmax(np.nan_to_num(scores, nan=-1.0)))]


def _row(folder: Path, method: str, tasks: Sequence[str], rates: dict[str, float]) -> study.Row:
    own = [f"single/{task}" for task in tasks] if method == "single" else [method] * len(tasks)
    each = [100 * _last(folder / part, f"accuracy_{task}") for part, task in zip(own, tasks)]
    row: dict[str, Any] = {"method": method}
    row |= {f"{task} %": accuracy for task, accuracy in zip(tasks, each)}
    row["mean %"] = np.mean(each, 0)
    row["rate"] = " ".join(f"{rates[part]:g}" for part in dict.fromkeys(own))
    row["seconds"] = float(np.sum([study.seconds(folder / part) for part in dict.fromkeys(own)]))
    return row


if __name__ == "__main__":
    sys.exit(main())
