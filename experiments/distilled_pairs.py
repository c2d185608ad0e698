"""The task `multi30k` of `experiments.distillation`: translation, one ordinary run a cell.

A cell is a method and a seed; a student learns from the teacher of its own seed. What is done is
kept in the file of --record, one row a cell, and the table in the page beside it (.md). A row of
the same settings is not computed again, even where the study's folder is gone.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from experiments import record, study
from genjax import recipes
from genjax.cli import launch, program
from genjax.core.config import DURATIONS
from genjax.engine.compilation_cache import enable_compilation_cache
from genjax.engine.opening import check
from genjax.engine.run import prepare
from genjax.engine.workdir import check_writable
from genjax.evaluation.shown import hooks
from genjax.evaluation.text import scores as text_scores
from genjax.trained.loading import load

RECIPE = "distillation_multi30k"
TEACHER = "teacher"
METHODS = {
    TEACHER: "teacher", "student": "student alone", "word": "word-level",
    "sequence": "sequence-level",
}  # fmt: skip
UNTAUGHT = (TEACHER, "student")
BEAM, LENGTH_PENALTY = 4, 0.6
_PAGE = """# Distillation of a translator

Multi30k, German to English: a Transformer of 3 layers of 256 teaches one of 2 layers of 128 (Kim
and Rush 2016), by

```bash
python -m experiments.distillation --task=multi30k --workdir=studies/multi30k --data_dir=DIR
```

BLEU of lower-cased words on the 1,000 sentences of test_2016_flickr, greedy and by a beam of {beam}
with length penalty {penalty:g}; nats a token are those of the references. A student learns from the
teacher of its own seed: word-level from half the cross-entropy and half the divergence from the
teacher's distribution at T = 1, sequence-level from what the teacher's beam of 5 writes instead of
the references. Nothing was chosen by these numbers: the settings were written down first.

{table}
"""


class Cell(NamedTuple):
    """One run: its method, seed, config without a teacher's folder, and its settings' digest."""

    method: str
    seed: int
    config: ConfigDict
    digest: str

    @property
    def taught(self) -> bool:
        """Says whether it learns from a teacher."""
        return self.method not in UNTAUGHT


def run(values: Any, command: str) -> int:
    """Trains and scores what is not recorded, and writes the page; returns the exit status.

    Args:
      values: the flags of `experiments.distillation`.
      command: what resumes it.
    """
    path = record.path(values.record)
    done, status = record.read(path), program.DONE
    cells = [_cell(method, seed, values) for seed in range(values.seeds) for method in METHODS]
    missing = [c for c in cells if not record.find(done, c.method, c.digest, c.seed)]
    if missing and not values.table_only:
        status = _compute(missing, path, values, command)
    if status not in (program.BAD, program.STOPPED):
        _write_page(path, values)
    return status


def _cell(method: str, seed: int, values: Any) -> Cell:
    config = recipes.load(f"{RECIPE}:{method}").copy_and_resolve_references().unlock()
    config.seed, config.data.dir = seed, values.data_dir
    if values.steps:
        config.update({name: type(config[name])(0) for name in DURATIONS} | {"steps": values.steps})
    protocol: dict[str, Any] = {"beam": BEAM, "length_penalty": LENGTH_PENALTY, "split": "test"}
    cell = Cell(method, seed, config.lock(), "")
    if cell.taught:
        protocol["teacher"] = _cell(TEACHER, seed, values).digest
    return cell._replace(digest=record.digest(config, **protocol))


def _compute(cells: Sequence[Cell], path: Path, values: Any, command: str) -> int:
    """Trains and scores the cells; each is recorded when it is through."""
    enable_compilation_cache()
    workdir = Path(values.workdir).expanduser().absolute()
    for folder in (workdir, path.parent):
        check_writable(folder)
    for cell in {c.method: c for c in cells if not c.taught}.values():
        untaught = prepare(cell.config)  # all is checked before hours are spent
        check(untaught, workdir / cell.method / str(cell.seed), hooks(untaught))
    worst = program.DONE
    for i, cell in enumerate(cells):
        print(f"run {i + 1} of {len(cells)}: {cell.method}, seed {cell.seed}", flush=True)
        config = cell.config.copy_and_resolve_references().unlock()
        if cell.taught:  # by a run that may be through, and recorded, already
            teacher = _cell(TEACHER, cell.seed, values)
            config.teacher.workdir = str(workdir / TEACHER / str(cell.seed))
            status = _trained(teacher.config, Path(config.teacher.workdir), command)
            if status != program.DONE:
                return status
        folder = workdir / cell.method / str(cell.seed)
        status = _trained(config.lock(), folder, command)
        if status in (program.BAD, program.STOPPED):
            return status
        worst = max(worst, status)
        row = {"method": cell.method, "seed": cell.seed, "config": cell.digest}
        row |= record.length(folder)
        row["scores"] = _scored(folder) if status == program.DONE else {}
        record.add(path, row)
        _write_page(path, values)
    return worst


def _trained(config: ConfigDict, folder: Path, command: str) -> int:
    made = prepare(config, folder)
    return launch.train(made, folder, command, if_diverged="the other runs go on")[0]


def _scored(folder: Path) -> dict[str, float]:
    """Scores the run in a folder on the test split."""
    model = load(folder)
    means = model.evaluate()
    found = {"nats": float(means["loss"])}
    found["parameters"] = sum(x.size for x in jax.tree.leaves(model.state.params))
    for name, beam in (("greedy", 0), ("beam", BEAM)):
        scores, _ = text_scores.of_model(model, means, beam, LENGTH_PENALTY)
        found |= {name: scores["word_bleu"], f"{name}_sacrebleu": scores["bleu"]}
    return found


def _write_page(path: Path, values: Any) -> None:
    """Writes and prints the table of what is recorded with today's settings."""
    done, rows = record.read(path), []
    for method, name in METHODS.items():
        found = record.find(done, method, _cell(method, 0, values).digest)
        if found:
            rows.append({"method": name} | _row(found))
    table = study.markdown(rows) if rows else record.NOTHING
    text = _PAGE.format(beam=BEAM, penalty=LENGTH_PENALTY, table=table)
    page = record.write_page(path, text)
    print(f"{study.plain(rows) if rows else table}\n\n{page}", flush=True)


def _row(found: Sequence[record.Row]) -> dict[str, Any]:
    def column(name: str) -> np.ndarray:
        return np.array([r["scores"].get(name, math.nan) for r in found])

    return {
        "seeds": len(found),
        "parameters": f"{max(r['scores'].get('parameters', 0) for r in found):,}",
        "greedy BLEU": column("greedy"),
        "beam BLEU": column("beam"),
        "nats a token": column("nats"),
        "minutes": np.array([r["seconds"] / 60 for r in found]),
    }
