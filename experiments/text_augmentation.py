"""Augmentation of sentences: whether changed ones help a classifier of few labels, on SST-2.

    python -m experiments.text_augmentation --workdir=DIR --data_dir=DIR [--labels=100,1000]
        [--arms=none,words,denoising,variational] [--network=bag] [--draws=0,1,2,3,4] [--seeds=5]
        [--record=docs/text_augmentation.json] [--table_only]

- `none`: the sentences as they are.
- `words`: in each update words are hidden, left out, or both.
- `denoising`: a denoising autoencoder's reconstructions stand in place of some sentences.
- `variational`: likewise what a text VAE writes from points near their codes.

Both autoencoders are runs of `configs/autoencoder_sst2.py` in DIR, trained on the sentences of the
training split without labels (`--writer_steps` shortens them), and are also judged by what they
restore. A tenth of the training split is held out; of the rest `--labels` sentences are labeled (0:
all), chosen by each of `--draws` anew, and each choice is learned by a population of `--seeds`.
An arm has the setting of the best mean accuracy on what is held out; test numbers choose nothing.

The same command resumes. What is done is kept in the file of --record, a row a choice of labels and
setting, and the page beside it (.md); such a row is not computed again, even where DIR is gone.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags
from ml_collections import ConfigDict

from experiments import record, study
from genjax import recipes
from genjax.cli import program
from genjax.core.members import spread
from genjax.data.source import first_rows
from genjax.data.text.corruption import corrupt_tokens
from genjax.evaluation.latent.sentences import judged
from genjax.evaluation.text.translation import translation_scores
from genjax.trained.loading import load

# The settings of each arm, of which one is chosen; fields of the classifier.
_REPLACED = ({"augment.rate": 0.25}, {"augment.rate": 0.5})
ARMS: dict[str, tuple[dict[str, Any], ...]] = {
    "none": ({},),
    "words": (
        {"model.word_dropout": 0.2},
        {"model.word_dropout": 0.4},
        {"model.word_dropout": 0.2, "augment.drop": 0.2},
    ),
    "denoising": _REPLACED,
    "variational": _REPLACED,
}
WRITERS = ("denoising", "variational")
NOISE = {"swap": 3, "drop": 0.1, "mask": 0.1}  # what the autoencoders restore sentences from
_HELD_OUT = 0.1  # of the training split
_STEPS = {100: 300, 1000: 600}  # updates; else ten epochs
_READS = ("tokenizer", "vocab_size", "min_count", "lowercase", "length")
_PAGE = """# Augmentation of sentences

SST-2 with few labels, the classifier `sst2:{network}`, by

```bash
python -m experiments.text_augmentation --workdir=studies/text_augmentation --data_dir=DIR
```

Accuracy in percent. A seed of the table is a choice of labels, of which the mean over {seeds}
initial values counts; with all labels it is an initial value. Each arm has the setting that is best
on a tenth of the training split, which nothing is trained on: 692 labels, more than the smallest
sets have. `gain`: over `none`, of the same labels. The words that are known, and the autoencoders,
are of all training sentences, without their labels.

{tables}

## Does it help?

{verdicts}

## What the autoencoders restore

Test sentences whose words change places by up to {swap}, of which {drop:g} are left out and
{mask:g} hidden: BLEU and the share of tokens in their place, of the noised sentences themselves and
of what comes back.

{restored}
"""


class Cell(NamedTuple):
    """A population: its arm and setting, the number and choice of labels, config and digest."""

    arm: str
    setting: dict[str, Any]
    labels: int
    draw: int
    config: ConfigDict
    digest: str

    @property
    def folder(self) -> str:
        """Names the run's folder below the study's."""
        return f"{self.arm}/{self.digest}/{self.draw}"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the study; returns the exit status."""
    return program.run(_text_augmentation, argv, trains=True)


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    folder = "studies/text_augmentation"
    flags.DEFINE_string("workdir", folder, "The study's folder; resumed if it is there.", **text)
    flags.DEFINE_string("data_dir", "", "The folder of train.tsv and test.tsv.", **text)
    flags.DEFINE_list("labels", ["100", "1000"], "Numbers of labels; 0: all.", **text)
    flags.DEFINE_list("arms", list(ARMS), "Which of them to compare.", **text)
    flags.DEFINE_enum("network", "bag", ["bag", "lstm"], "Of the recipe sst2.", **text)
    flags.DEFINE_list("draws", ["0", "1", "2", "3", "4"], "Choices of labels, seeds.", **text)
    flags.DEFINE_integer("seeds", 5, "Members of each population.", 1, **text)
    flags.DEFINE_integer("steps", 0, "Length of classifiers; 0: as recorded.", 0, **text)
    flags.DEFINE_integer("writer_steps", 0, "Of autoencoders; 0: their recipe's.", 0, **text)
    flags.DEFINE_string("record", "docs/text_augmentation.json", "File of what is done.", **text)
    flags.DEFINE_bool("table_only", False, "Make the page again, train nothing.", **text)


def _text_augmentation(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    arms, labels = study.chosen(values, "arms", ARMS), study.numbers(values, "labels", "100,1000")
    path = record.path(values.record)
    done, status = record.read(path), program.DONE
    if not values.table_only:
        command = program.command("text_augmentation", *argv)
        status = _compute(_cells(arms, labels, values), done, path, values, command)
    if status == program.DONE:
        _write_page(path, values)
    return status


def _cells(arms: Sequence[str], labels: Sequence[int], values: Any) -> list[Cell]:
    """Lists the populations; with all labels there is one choice of them."""
    draws = study.numbers(values, "draws", "0,1,2")
    return [
        _cell(arm, setting, number, draw, values)
        for number in labels
        for draw in (draws if number else draws[:1])
        for arm in arms
        for setting in ARMS[arm]
    ]


def _writer(name: str, values: Any) -> ConfigDict:
    """Makes the run of an autoencoder."""
    c = recipes.load(f"autoencoder_sst2:{name}").unlock()
    c.data.dir = values.data_dir
    if values.writer_steps:
        c.epochs, c.steps = 0.0, values.writer_steps
    return c.lock()


def _digest_of_writer(name: str, values: Any) -> str:
    return _digest(_writer(name, values), noise=NOISE)


def _digest(config: ConfigDict, **protocol: Any) -> str:
    """As `record.digest`, wherever the data and the autoencoder lie."""
    c = config.copy_and_resolve_references().unlock()
    c.data.dir = ""
    if "augment" in c:
        c.augment.workdir = ""
    return record.digest(c.lock(), **protocol)


def _cell(arm: str, setting: dict[str, Any], labels: int, draw: int, values: Any) -> Cell:
    c = recipes.load(f"sst2:{values.network}").unlock()
    reads = _writer(WRITERS[0], values).data
    c.data.update({name: reads[name] for name in _READS} | {"dir": values.data_dir})
    c.data.update(num_labeled=labels, labeled_seed=draw, validation_fraction=_HELD_OUT)
    c.model.word_dropout = 0.0
    c.update_from_flattened_dict(setting)
    c.batch_size = min(c.batch_size, labels or c.batch_size)
    steps = values.steps or _STEPS.get(labels, 0)
    if steps:
        c.epochs, c.steps = 0.0, steps
    c.executor, c.num_seeds, c.log_every, c.checkpoint_every = "vmap", values.seeds, 100, 10_000
    protocol: dict[str, Any] = {}
    if arm in WRITERS:
        folder = Path(values.workdir).expanduser().absolute()
        c.augment.workdir, c.augment.temperature = str(folder / "writers" / arm), 0.0
        protocol = {"writer": _digest_of_writer(arm, values)}
    # Choices of labels are the seeds of the rows: one digest for all of them.
    without = c.copy_and_resolve_references()
    without.data.labeled_seed = 0
    return Cell(arm, setting, labels, draw, c.lock(), _digest(without, **protocol))


def _compute(
    cells: Sequence[Cell], done: list[record.Row], path: Path, values: Any, command: str
) -> int:
    """Trains and judges what is not recorded yet; each row is recorded when it is through."""
    workdir = Path(values.workdir).expanduser().absolute()
    missing = [c for c in cells if not record.find(done, c.arm, c.digest, c.draw)]
    for name in (n for n in WRITERS if any(c.arm == n for c in cells)):
        config, digest = _writer(name, values), _digest_of_writer(name, values)
        restores = record.find(done, f"restores:{name}", digest)
        if restores and not any(c.arm == name for c in missing):
            continue
        status = study.train(workdir / "writers", {name: config}, command)
        if status != program.DONE:
            return status
        if not restores:
            row = {"method": f"restores:{name}", "seed": 0, "config": digest}
            record.add(path, row | {"scores": _restored(workdir / "writers" / name)})
    for cell in missing:
        status = study.train(workdir, {cell.folder: cell.config}, command)
        if status != program.DONE:
            return status
        row = {"method": cell.arm, "seed": cell.draw, "config": cell.digest}
        row |= {"labels": cell.labels, "setting": cell.setting}
        record.add(path, row | {"scores": _scores(workdir / cell.folder)})
    return program.DONE


def _scores(folder: Path) -> dict[str, list[float]]:
    """Returns the accuracy of each member, in percent, on held-out and on test sentences."""
    held_out = study.history(folder)["eval/accuracy"].value[-1]
    test = load(folder).evaluate()["accuracy"]
    found = {"held_out": 100 * held_out, "accuracy": 100 * np.asarray(test)}
    return {name: [round(float(v), 3) for v in values] for name, values in found.items()}


def _restored(folder: Path) -> dict[str, float]:
    """Says what comes back of noised test sentences, beside the noised ones themselves."""
    model = load(folder)
    found, _ = first_rows(model.run.dataset.test, model.run.dataset.test.num_examples)
    x = found.astype(np.int32)
    uniform = jax.random.uniform(jax.random.key(0), (*x.shape, 3))
    noise: Any = NOISE
    noised = np.asarray(corrupt_tokens(jnp.asarray(x), uniform, **noise))
    wanted, scores = model.strings(x), {}
    for name, rows in (("noised", noised), ("restored", np.asarray(model.reconstruct(noised)))):
        texts = [t.replace("<mask>", "") for t in model.strings(rows)]
        scores[f"{name} BLEU"] = translation_scores(texts, wanted, lowercase=True)[0]["bleu"]
        scores[f"{name} in place"] = judged(x, rows)["tokens_in_their_place"]
    return scores


def _write_page(path: Path, values: Any) -> None:
    """Writes and prints the tables of what is recorded with today's settings."""
    done = record.read(path)
    tables: list[str] = []
    verdicts: list[str] = []
    labels = study.numbers(values, "labels", "100,1000")
    for number in labels:
        rows, gains = _table(done, number, values)
        if rows:
            name = f"{number:,}" if number else "all"
            tables.append(f"## {name.capitalize()} labels\n\n{study.markdown(rows)}")
            verdicts += [_verdict(name, arm, gain) for arm, gain in gains.items()]
    restored = []
    for name in WRITERS:
        for row in record.find(done, f"restores:{name}", _digest_of_writer(name, values)):
            restored.append({"autoencoder": name, **row["scores"]})
    text = _PAGE.format(
        network=values.network,
        seeds=values.seeds,
        tables="\n\n".join(tables) or record.NOTHING,
        verdicts="\n".join(f"- {v}" for v in verdicts) or record.NOTHING,
        restored=study.markdown(restored) if restored else record.NOTHING,
        **NOISE,
    )
    page = record.write_page(path, text)
    print(f"{text}\n{page}", flush=True)


def _table(
    done: list[record.Row], labels: int, values: Any
) -> tuple[list[study.Row], dict[str, np.ndarray]]:
    """Makes the table of a number of labels, and the gains of arms over `none`, by choice."""
    rows: list[study.Row] = []
    test: dict[str, dict[int, list[float]]] = {}
    gains: dict[str, np.ndarray] = {}
    for arm, settings in ARMS.items():
        cells = [_cell(arm, s, labels, 0, values) for s in settings]
        found = [(c, record.find(done, arm, c.digest)) for c in cells]
        found = [(c, r) for c, r in found if r]
        if not found:
            continue
        cell, chosen = max(found, key=lambda f: float(np.mean(_values(f[1], "held_out"))))
        test[arm] = {r["seed"]: r["scores"]["accuracy"] for r in chosen}
        row: dict[str, Any] = {"arm": arm, "setting": _shown(cell.setting)}
        row |= {"held out": _values(chosen, "held_out"), "test": _values(chosen, "accuracy")}
        if arm != "none" and "none" in test:
            both = sorted(test["none"].keys() & test[arm].keys())
            pairs = np.array([[test[a][s] for a in (arm, "none")] for s in both])
            if len(both):
                gains[arm] = row["gain"] = _reduced(pairs[:, 0] - pairs[:, 1])
        rows.append(row)
    return rows, gains


def _values(rows: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    return _reduced(np.array([r["scores"][name] for r in rows]))


def _reduced(values_DxM: np.ndarray) -> np.ndarray:
    """Takes the mean over initial values for each choice of labels; of one choice, each value."""
    return values_DxM.mean(1) if len(values_DxM) > 1 else values_DxM[0]


def _shown(setting: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}={value:g}`" for name, value in setting.items())


def _verdict(labels: str, arm: str, gain: np.ndarray) -> str:
    """Says whether an arm helps: whether its gain is beyond two standard errors."""
    over = spread(gain)
    error = over.standard_error
    if error is None:
        return f"{labels} labels, `{arm}`: {over.mean:+.2f} points, of one run alone."
    what = "makes no difference that can be told"
    if abs(over.mean) > 2 * error:
        what = "helps" if over.mean > 0 else "hurts"
    return f"{labels} labels, `{arm}`: {what} ({over.mean:+.2f} ± {error:.2f} points)."


if __name__ == "__main__":
    sys.exit(main())
