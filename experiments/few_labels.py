"""Few labels: which encoder, learned without labels, helps a classifier of Fashion-MNIST.

    python -m experiments.few_labels --workdir=DIR [--encoders=pixels,pca,vae,…]
        [--heads=linear,mlp,svm,rbf,tuned] [--labels=100,1000,10000] [--seeds=10]
        [--record=docs/few_labels.json] [--table_only]

Each encoder is one run in DIR/ENCODER, of ten minutes at most on 2 CPU cores; one that sees labels
has a run for each choice of them. On its layers stand heads: multinomial logistic regression, a
hidden layer, support vector machines (linear, RBF); or encoder and linear head are trained together
(`tuned`). A seed decides which pictures show their label, as many of each class, and what is random
in the heads. Layer, C and gamma, or the learning rate, are chosen on held-out labels among these;
test examples are used once.

What is done is kept in the file of --record, one row for each encoder, head, number of labels and
seed, and the tables in the page beside it (.md). The same command resumes. A row of the same
settings is not computed again, even where DIR is gone; --table_only makes the page again.
"""

import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import flags

from experiments import encoders, probes, record, study
from genjax import data
from genjax.cli import launch, program
from genjax.core.config import MAX_SEED, ConfigError
from genjax.data.labeled import stratified
from genjax.data.source import Dataset
from genjax.engine.compilation_cache import enable_compilation_cache
from genjax.engine.opening import check
from genjax.engine.run import prepare
from genjax.engine.workdir import check_writable
from genjax.evaluation.shown import hooks

BARS = {100: 70.2, 1000: 81.6, 10_000: 86.9}  # %, RBF on pixels, C = 10, gamma = scale, five seeds
_BAR = ("pixels", "rbf")
_AT_ONCE = 10  # seeds whose vectors are in memory, of at most so many labels:
_MANY = 1000
_PAGE = """# Few labels

Fashion-MNIST with few labels: classifiers on encoders that learned from all 60,000 training
pictures without labels (`m2` with the same few labels as the heads; `conditional_vae` from the few
labeled pictures alone), by

```bash
python -m experiments.few_labels --workdir=studies/few_labels
```

Accuracy in % on the 10,000 test pictures, over {seeds}, which decide what shows its label; an
encoder is one run for all seeds, unless it sees labels. Layer, C and gamma of the heads, and
learning rates, were chosen on held-out training labels only: each of five folds of the labels, or
one of them where there are more than 1,000 (`mlp`: more than 100; `tuned`: always). `linear` is
logistic regression, `mlp` a hidden layer of 256, `svm` and `rbf` are support vector machines,
`tuned` is the encoder with a linear head, trained on the labels. `random` is the network of
`autoencoder` with random weights.

{tables}
"""


class Cell(NamedTuple):
    """A line's number: encoder, head, number of labels, and the digest of its settings."""

    encoder: str
    head: str
    labels: int
    digest: str

    @property
    def method(self) -> str:
        """Says what the record calls it."""
        return f"{self.encoder}/{self.head}/{self.labels}"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the study; returns the exit status."""
    return program.run(_few_labels, argv, trains=True)


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    folder = "studies/few_labels"
    flags.DEFINE_string("workdir", folder, "The study's folder; resumed if it is there.", **text)
    flags.DEFINE_list("encoders", list(encoders.ENCODERS), "Which of them to compare.", **text)
    flags.DEFINE_list("heads", list(probes.HEADS), "Which heads to fit.", **text)
    flags.DEFINE_list("labels", list(map(str, BARS)), "How many pictures show theirs.", **text)
    flags.DEFINE_integer("seeds", 10, "Choices of labels: 0 and on.", 1, MAX_SEED, **text)
    flags.DEFINE_integer("steps", 0, "Length of encoders' runs; 0: as recorded.", 0, **text)
    flags.DEFINE_string("record", "docs/few_labels.json", "The file of what is done.", **text)
    flags.DEFINE_bool("table_only", False, "Make the page again, train nothing.", **text)


def _few_labels(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    names = study.chosen(values, "encoders", encoders.ENCODERS)
    wanted = study.chosen(values, "heads", probes.HEADS)
    numbers, seeds = _numbers(values), range(values.seeds)
    path = record.path(values.record)
    done, status = record.read(path), program.DONE
    missing: dict[tuple[str, int], dict[Cell, list[int]]] = {}
    for name in names:
        for labels in numbers:
            for cell in _cells(name, wanted, labels, values.steps):
                there = {r["seed"] for r in record.find(done, cell.method, cell.digest)}
                if left := [s for s in seeds if s not in there]:
                    missing.setdefault((name, labels), {})[cell] = left
    if missing and not values.table_only:
        status = _compute(missing, path, values, program.command("few_labels", *argv))
    if status not in (program.BAD, program.STOPPED):
        _write_page(path, values)
    return status


def _numbers(values: Any) -> list[int]:
    return study.numbers(values, "labels", "100,1000", 2 * probes.FOLDS)


def _cells(name: str, wanted: Sequence[str], labels: int, steps: int) -> list[Cell]:
    """Lists the cells of an encoder; one without networks is not fine-tuned."""
    encoder, found = encoders.ENCODERS[name], []
    for head in wanted:
        if head == "tuned" and not encoder.recipe:
            continue
        layers = encoder.layers[-1:] if head == "tuned" else encoder.layers
        protocol = probes.settings(head) | {"labels": labels, "layers": layers}
        digest = record.digest(encoders.config(name, steps), encoder=name, **protocol)
        found.append(Cell(name, head, labels, digest))
    return found


def _compute(
    missing: Mapping[tuple[str, int], Mapping[Cell, Sequence[int]]],
    path: Path,
    values: Any,
    command: str,
) -> int:
    """Trains the encoders and fits the heads; a row is recorded when it is there."""
    enable_compilation_cache()
    workdir = Path(values.workdir).expanduser().absolute()
    for folder in (workdir, path.parent):
        check_writable(folder)
    dataset = data.load(encoders.config("pixels").data)
    most = dataset.train.num_examples
    for name, labels in missing:  # all is checked before hours are spent
        if labels > most:
            raise ConfigError(f"--labels={labels}: must be at most {most}, the training pictures")
        if encoders.is_trained(name) and not encoders.ENCODERS[name].sees_labels:
            run = prepare(encoders.config(name, values.steps))
            check(run, workdir / encoders.place(name, labels, 0), hooks(run))
    worst = program.DONE
    for (name, labels), cells in missing.items():
        seeds = sorted({seed for left in cells.values() for seed in left})
        own, opened = encoders.ENCODERS[name].sees_labels, None
        size = 1 if own or labels > _MANY else _AT_ONCE
        for i in range(0, len(seeds), size):
            group = seeds[i : i + size]
            status = _pretrained(name, labels, group[0], dataset, workdir, values.steps, command)
            if status in (program.BAD, program.STOPPED):
                return status
            if status != program.DONE:  # it diverged; the other encoders go on
                worst = max(worst, status)
                continue
            if opened is None or own:
                opened = encoders.open_encoder(
                    name,
                    workdir / encoders.place(name, labels, group[0]),
                    dataset,
                    probes.steps(labels),
                )
            _fit({c: [s for s in group if s in cells[c]] for c in cells}, opened, path)
        _write_page(path, values)
    return worst


def _pretrained(
    name: str, labels: int, seed: int, dataset: Dataset, workdir: Path, steps: int, command: str
) -> int:
    """Trains the encoder's run, or goes on with it; returns an exit status."""
    if not encoders.is_trained(name):
        return program.DONE
    config, arrays = encoders.config(name, steps), None
    folder = workdir / encoders.place(name, labels, seed)
    if encoders.ENCODERS[name].sees_labels:
        rows = _rows(dataset, labels, seed)
        config, arrays = encoders.of_labels(config, labels, seed, dataset, rows)
    run = prepare(config, folder, arrays=arrays)
    status, _ = launch.train(run, folder, command, if_diverged="the other encoders go on")
    if status == program.DONE:
        study.check_ended(run, folder)
    return status


def _rows(dataset: Dataset, labels: int, seed: int) -> np.ndarray:
    """Returns the rows of the training split that show their label: a function of the seed."""
    arrays: Any = dataset.train.arrays
    return np.flatnonzero(stratified(arrays["label"], labels, seed))


def _fit(cells: Mapping[Cell, Sequence[int]], encoder: encoders.Opened, path: Path) -> None:
    """Fits heads for some seeds each, and records the rows."""
    dataset = encoder.dataset
    classes, train, test = dataset.spec.num_classes, dataset.train.arrays, dataset.test.arrays
    for cell, seeds in cells.items():
        if not seeds:
            continue
        print(f"{cell.method}, seeds {', '.join(map(str, seeds))}", flush=True)
        began = time.monotonic()
        rows = [_rows(dataset, cell.labels, seed) for seed in seeds]
        of = encoder.pictures if cell.head == "tuned" else encoder.vectors
        label = [train["label"][r] for r in rows]
        few = probes.Few(
            seeds, [of(train["x"][r]) for r in rows], label, encoder.test(cell.head), test["label"]
        )
        if cell.head == "tuned":
            found = probes.tune(encoder, few, classes)
        else:
            found = probes.fit(cell.head, few, classes)
        seconds = round((time.monotonic() - began) / len(seeds), 1)
        for seed, one in zip(seeds, found, strict=True):
            row = {"method": cell.method, "seed": seed, "config": cell.digest, "seconds": seconds}
            record.add(path, row | one._asdict())


def _write_page(path: Path, values: Any) -> None:
    """Writes and prints the tables of what is recorded with today's settings."""
    done, parts, said, seeds = record.read(path), [], [], set()
    for labels in sorted({*BARS, *_numbers(values)}):
        found = {
            (cell.encoder, cell.head): rows
            for name in encoders.ENCODERS
            for cell in _cells(name, probes.HEADS, labels, values.steps)
            if (rows := record.find(done, cell.method, cell.digest))
        }
        if not found:
            continue
        bar = f" RBF on pixels with fixed C: {BARS[labels]} %." if labels in BARS else ""
        seeds |= {row["seed"] for rows in found.values() for row in rows}
        lines, against = _table(found), _against_pixels(found)
        parts.append(f"## {labels:,} labels\n\n{study.markdown(lines)}\n\n{against}{bar}")
        said.append(f"{labels:,} labels\n\n{study.plain(lines)}\n\n{against}{bar}")
    over = f"{len(seeds)} seed{'s' * (len(seeds) > 1)}" if seeds else "seeds"
    text = _PAGE.format(seeds=over, tables="\n\n".join(parts) or record.NOTHING)
    page = record.write_page(path, text)
    print("\n\n".join(said) or record.NOTHING, f"\n{page}", sep="\n", flush=True)


Cells = Mapping[tuple[str, str], Sequence[record.Row]]


def _table(found: Cells) -> list[study.Row]:
    lines: list[study.Row] = []
    for name in dict.fromkeys(encoder for encoder, _ in found):
        line: dict[str, Any] = {"encoder": name}
        for head in probes.HEADS:
            rows = found.get((name, head), ())
            line[head] = np.array([100 * r["accuracy"] for r in rows]) if rows else ""
        lines.append(line)
    return lines


def _against_pixels(found: Cells) -> str:
    """Says which encoders win and lose against RBF on pixels.

    Of an encoder counts the head that held-out labels prefer. Differences are of the same seeds;
    what is within two standard errors of 0 is level.
    """
    if _BAR not in found:
        return "RBF on pixels is not recorded yet."
    pixels = {r["seed"]: r["accuracy"] for r in found[_BAR]}
    said: dict[str, list[str]] = {"win": [], "lose": [], "are level": []}
    for name in dict.fromkeys(encoder for encoder, _ in found if encoder != _BAR[0]):
        own = {head: rows for (encoder, head), rows in found.items() if encoder == name}
        head = max(own, key=lambda h: np.mean([r["held_out"] for r in own[h]]))
        paired = [r["accuracy"] - pixels[r["seed"]] for r in own[head] if r["seed"] in pixels]
        if len(paired) < 2:
            continue
        mean, error = np.mean(paired), np.std(paired, ddof=1) / math.sqrt(len(paired))
        verdict = "win" if mean > 2 * error else "lose" if mean < -2 * error else "are level"
        said[verdict].append(f"{name} ({head}, {100 * mean:+.1f} ± {100 * error:.1f})")
    sentences = [
        f"{len(names)} {verdict}: {', '.join(names)}." for verdict, names in said.items() if names
    ]
    start = "Against RBF on pixels, each with the head that held-out labels prefer, in points:"
    return f"{start} {' '.join(sentences)}" if sentences else "Pixels alone are recorded yet."


if __name__ == "__main__":
    sys.exit(main())
