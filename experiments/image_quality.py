"""Image quality under one budget: GANs, flow matching and a VAE on Fashion-MNIST, in one table.

    python -m experiments.image_quality --workdir=DIR [--methods=wgan_gp,r3gan,…] [--seeds=0,1,2]
        [--record=docs/image_quality.json] [--table_only]

Each method and seed is one ordinary run in DIR/METHOD/SEED, of about 30 minutes on 2 CPU cores;
seeds come one after the other, so that all methods are in the table early. Of each, 10,000 samples
are compared with the test split, which nothing before has judged by: FID, precision, recall,
density, coverage and MIND by the features of genjax's own classifier, trained on the training
split, and what that classifier makes of them. The same command resumes, wherever it was stopped.

What is done is also kept in the file of --record, one row a method and seed, and the table in the
page beside it (.md). A row of the same settings is not computed again, even where DIR is gone, and
rows that others added stay. --table_only makes the page again and trains nothing.
"""

import math
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from ml_collections import ConfigDict

from experiments import record, study
from genjax import data, families, recipes
from genjax.cli import launch, program
from genjax.core import files
from genjax.core.config import DURATIONS
from genjax.data import cache
from genjax.data.source import Dataset, first_rows
from genjax.engine.compilation_cache import enable_compilation_cache
from genjax.engine.opening import check
from genjax.engine.run import prepare
from genjax.engine.workdir import check_writable
from genjax.evaluation.image import classifier
from genjax.evaluation.image.extractors import own_classifier
from genjax.evaluation.image.scorer import AT_ONCE, Scorer
from genjax.evaluation.shown import hooks
from genjax.trained.loading import load

BY_CLASS = "wgan_gp_labels"  # the others see no labels
RECIPES = {
    BY_CLASS: "wgan_gp_fashion", "wgan_gp": "gan_fashion:wgan_gp",
    "r3gan": "gan_fashion:r3gan", "hinge_sn": "gan_fashion:hinge_sn",
    "ns_gan": "gan_fashion:ns_gan", "wgan": "gan_fashion:wgan",
    "flow": "flow_matching_fashion", "vae": "vae_fashion:conv",
}  # fmt: skip
REAL = "real"  # as many training pictures: what a perfect generator would reach
SPLIT, SCORED_BY = "test", "fid,prdc,mind"
LEAST_SHARE = 0.01  # of the samples, from which on a class counts as found
# Updates of those whose recipes are shorter or longer than the GANs', in the same minutes: on 2
# cores that others use as well an update of the flow takes 0.54 s, one of the VAE 0.06 s; on idle
# ones 0.31 s and 0.03 s.
_STEPS = {"flow": 4500, "vae": 40_000}
_COLUMNS = {
    "fid": "FID", "precision": "precision", "recall": "recall", "density": "density",
    "coverage": "coverage", "mind": "MIND", "confident": "confident", "classes": "classes",
}  # fmt: skip
_PAGE = """# Image quality

Fashion-MNIST under one budget, about 30 minutes on 2 CPU cores a run, by

```bash
python -m experiments.image_quality --workdir=studies/image_quality --seeds=0,1,2
```

{samples:,} samples of each run against the test split, by features of genjax's own classifier: they
compare with nothing but each other ([Numbers](numbers.md)). `confident` is the share of samples
that the classifier is more than {sure:g} sure of; `classes` counts those classes that at least
{percent:g} % of the samples are, confidently. `{real}` is as many real training pictures, judged in
the same way. `{by_class}` is told the class of each picture that it learns from or draws, the
others are not.

{table}
"""


class Cell(NamedTuple):
    """One run: its method, seed, config, and the digest of its settings."""

    method: str
    seed: int
    config: ConfigDict
    digest: str


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the study; returns the exit status."""
    return program.run(_image_quality, argv, trains=True)


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    folder = "studies/image_quality"
    flags.DEFINE_string("workdir", folder, "The study's folder; resumed if it is there.", **text)
    flags.DEFINE_list("methods", list(RECIPES), "Which of them to compare.", **text)
    flags.DEFINE_list("seeds", ["0", "1", "2"], "Of the runs of each method.", **text)
    flags.DEFINE_integer("steps", 0, "Length of each run; 0: as it was recorded.", 0, **text)
    flags.DEFINE_integer("num_samples", 10_000, "Of each run, that are scored.", 10, **text)
    flags.DEFINE_string("record", "docs/image_quality.json", "The file of what is done.", **text)
    flags.DEFINE_bool("table_only", False, "Make the page again, train nothing.", **text)


def _image_quality(argv: list[str]) -> int:
    values = program.parse(argv, __doc__, _define)
    methods = study.chosen(values, "methods", RECIPES)
    seeds = study.numbers(values, "seeds", "0,1,2")
    path = record.path(values.record)
    done, status = record.read(path), program.DONE
    cells = [_cell(REAL, 0, values)] + [_cell(m, s, values) for s in seeds for m in methods]
    missing = [c for c in cells if not record.find(done, c.method, c.digest, c.seed)]
    if missing and not values.table_only:
        status = _compute(missing, path, values, program.command("image_quality", *argv))
    if status not in (program.BAD, program.STOPPED):
        _write_page(path, values)
    return status


def _cell(method: str, seed: int, values: Any) -> Cell:
    """Makes the run of a method; that of `REAL` has the data and is not trained."""
    config = recipes.load(RECIPES["wgan_gp" if method == REAL else method])
    config = config.copy_and_resolve_references().unlock()
    if method == REAL:  # whatever the recipe trains
        data_section = config.data
        config = families.default_config(config.family).unlock()
        config.data = data_section
    config.seed = seed
    steps = values.steps or _STEPS.get(method, 0)
    if steps and method != REAL:
        config.update({name: type(config[name])(0) for name in DURATIONS} | {"steps": steps})
    protocol = {"samples": values.num_samples, "split": SPLIT, "scored_by": SCORED_BY}
    digest = record.digest(config, **protocol, judge=classifier.VERSION)
    return Cell(method, seed, config.lock(), digest)


def _compute(cells: Sequence[Cell], path: Path, values: Any, command: str) -> int:
    """Trains and scores the cells; each is recorded when it is through."""
    enable_compilation_cache()
    workdir = Path(values.workdir).expanduser().absolute()
    for folder in (workdir, path.parent):
        check_writable(folder)
    for cell in {c.method: c for c in cells if c.method != REAL}.values():
        run = prepare(cell.config)  # all is checked before hours are spent
        check(run, workdir / cell.method / str(cell.seed), hooks(run))
    worst = program.DONE
    for i, cell in enumerate(cells):
        print(f"run {i + 1} of {len(cells)}: {cell.method}, seed {cell.seed}", flush=True)
        row = {"method": cell.method, "seed": cell.seed, "config": cell.digest}
        if cell.method == REAL:
            dataset = data.load(cell.config.data)
            x, _ = first_rows(dataset.train, values.num_samples)
            record.add(path, row | {"scores": _scores(x, dataset, cell.config)})
            continue
        folder = workdir / cell.method / str(cell.seed)
        status, _ = launch.train(
            prepare(cell.config), folder, command, if_diverged="the other runs go on"
        )
        if status in (program.BAD, program.STOPPED):
            return status
        worst = max(worst, status)
        row |= record.length(folder)
        row["scores"] = _scored(folder, values.num_samples) if status == program.DONE else {}
        record.add(path, row)
        _write_page(path, values)
    return worst


def _scored(folder: Path, num_samples: int) -> dict[str, float]:
    """Scores the run in a folder; samples are kept beside it until all are drawn."""
    parts = folder.with_name(f"{folder.name}_samples")
    with files.writing(parts):
        parts.mkdir(exist_ok=True)
    model = load(folder)

    def draw(i: int) -> Mapping[str, np.ndarray]:
        return {"x": model.sample(AT_ONCE, i)}

    numbers = range(math.ceil(num_samples / AT_ONCE))
    x = np.concatenate([study.computed(parts, f"samples_{i}", draw, i)["x"] for i in numbers])
    scores = _scores(x[:num_samples], model.run.dataset, model.config)
    shutil.rmtree(parts)
    return scores


def _scores(x: np.ndarray, dataset: Dataset, config: ConfigDict) -> dict[str, float]:
    """Scores pictures (N, H, W, C) against the test split, and by the classifier."""
    found = Scorer(dataset, config.data, SCORED_BY, len(x), split=SPLIT)(x)
    judge, _ = own_classifier(dataset, cache.root(config.data.cache_dir))
    quality = classifier.sample_quality(judge, x)
    classes = np.sum(np.asarray(quality["class_histogram"]) >= LEAST_SHARE * len(x))
    return found | {"confident": float(quality["confident"]), "classes": int(classes)}


def _write_page(path: Path, values: Any) -> None:
    """Writes and prints the table of what is recorded with today's settings."""
    done, rows = record.read(path), []
    for method in (REAL, *RECIPES):
        found = record.find(done, method, _cell(method, 0, values).digest)
        if found:
            rows.append(_row(method, found))
    table = study.markdown(rows) if rows else record.NOTHING
    text = _PAGE.format(
        samples=values.num_samples,
        sure=classifier.CONFIDENT,
        percent=100 * LEAST_SHARE,
        real=REAL,
        by_class=BY_CLASS,
        table=table,
    )
    page = record.write_page(path, text)
    print(f"{study.plain(rows) if rows else table}\n\n{page}", flush=True)


def _row(method: str, found: Sequence[record.Row]) -> study.Row:
    """Makes the line of a method: its numbers over the seeds that are recorded."""
    row: dict[str, Any] = {"method": method, "seeds": len(found) if method != REAL else ""}
    for name, column in _COLUMNS.items():
        row[column] = np.array([r["scores"].get(name, math.nan) for r in found])
    if method != REAL:
        row["minutes"] = np.array([r["seconds"] / 60 for r in found])
        row["updates"] = f"{max(r['steps'] for r in found):,}"
    return row


if __name__ == "__main__":
    sys.exit(main())
