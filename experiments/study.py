"""What studies share: flags, runs side by side, parts that are computed once, tables and pictures.

A study is a program of its own. Each method that it compares is one ordinary run, a population of
seeds, in a folder below the study's; so whatever reads a run reads it (`evaluate`, `sample`,
TensorBoard). A study of critics computes its parts instead, each of which is there as a whole or
not yet. The same command again resumes; what is through is not computed again.
"""

import functools
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from ml_collections import ConfigDict

from genjax import recipes
from genjax.cli import launch, program
from genjax.core import files
from genjax.core.arrays import read_npz
from genjax.core.config import MAX_SEED, ConfigError, check_seed
from genjax.core.members import explained, spread
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.compilation_cache import enable_compilation_cache
from genjax.engine.layout import CHECKPOINTS, CONFIG
from genjax.engine.opening import check
from genjax.engine.run import prepare
from genjax.engine.workdir import check_writable
from genjax.engine.writers import METRICS, read_metrics
from genjax.evaluation.shown import hooks
from genjax.plots.grid import save_png

RESULTS = "results"  # .json and .md
SETTINGS = "study.json"
SPEED = "speed.json"  # in a run's folder: what it reached
MEASURES = 20  # of a critic, along its training

Row = Mapping[str, Any]
"""One line of a table: by column a text, a number, or an array of one number a member."""
Arrays = dict[str, np.ndarray]


class Series(NamedTuple):
    """A metric over a run: `step` int (T,), `value` float64 (T, members)."""

    step: np.ndarray
    value: np.ndarray


def define(values: flags.FlagValues, methods: Iterable[str]) -> None:
    """Defines the flags of every study of runs."""
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The study's folder; resumed if there is one in it.", **text)
    flags.DEFINE_list("methods", list(methods), "Which of them to compare.", **text)
    flags.DEFINE_integer("seeds", 10, "Members of each method's population.", 1, **text)
    flags.DEFINE_integer("steps", 0, "Length of each run; 0: as it was recorded.", 0, **text)


def define_critics(values: flags.FlagValues) -> None:
    """Defines the flags of every study of critics."""
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The study's folder; resumed if there is one in it.", **text)
    flags.DEFINE_integer("seeds", 4, "Critics of each kind.", 1, **text)
    flags.DEFINE_integer("seed", 0, "The first of them.", 0, MAX_SEED, **text)
    flags.DEFINE_integer("steps", 1000, "Updates of each critic.", 1, **text)


def check_ended(run: Any, folder: Path) -> None:
    """Raises `ConfigError` where the folder holds the run of another length than is asked for."""
    step = Checkpoints(folder / CHECKPOINTS).steps()[-1]
    if step != run.total_steps:
        message = f"holds a run of {step} steps, not of {run.total_steps}; give another --workdir"
        raise ConfigError(f"{folder}: {message}")


def chosen(values: Any, flag: str, known: Iterable[str]) -> list[str]:
    """Returns the names that a list flag gives, each once.

    Raises:
      ConfigError: none is given, or one that is not known.
    """
    known = list(known)
    given = list(dict.fromkeys(values[flag].value))
    for name in given:
        if name not in known:
            raise ConfigError(f"--{flag}={name}: unknown; {recipes.nearest(name, known)}")
    if not given:
        raise ConfigError(f"--{flag}: empty; must name some of {', '.join(known)}")
    return given


def numbers(values: Any, flag: str, example: str, at_least: int = 0) -> list[int]:
    """Returns the whole numbers that a list flag gives, each once; none is above the last seed.

    Raises:
      ConfigError: one is no whole number, or out of these bounds.
    """
    texts = values[flag].value
    bound = f" of at least {at_least}" if at_least else ""
    for text in texts:
        if not text.isdecimal() or int(text) < at_least:
            given = f"--{flag}={','.join(texts)}"
            raise ConfigError(f"{given}: must be whole numbers{bound}, as in {example}")
        check_seed(f"--{flag}", int(text))
    return list(dict.fromkeys(map(int, texts)))


def population(config: ConfigDict, values: Any, num_evaluations: int = 20) -> ConfigDict:
    """Makes a run of a study: `--seeds` members, `--steps` long, evaluated along the way.

    Args:
      config: a recipe, whose length is in steps; not changed.
      values: the program's flags.
      num_evaluations: over the run; metrics are logged five times as often.
    """
    c = config.copy_and_resolve_references().unlock()
    c.executor, c.num_seeds = "vmap", values.seeds
    c.steps = values.steps or c.steps
    c.log_every = max(1, c.steps // (5 * num_evaluations))
    c.eval_every = min(5 * c.log_every, c.steps)
    c.checkpoint_every = 4 * c.eval_every
    return c.lock()


def train(workdir: str | Path, runs: Mapping[str, ConfigDict], command: str) -> int:
    """Trains all runs, one after the other, each in the folder of its name below `workdir`.

    Args:
      workdir: the study's folder.
      runs: configs by name.
      command: what resumes the study.

    Raises:
      ConfigError: a config or the workdir cannot be used; nothing was trained.

    Returns:
      An exit status: DIVERGED where all members of some run did (the others are trained all the
      same), at once what else is not DONE.
    """
    enable_compilation_cache()
    folder = Path(workdir).expanduser().absolute()
    check_writable(folder)
    for name, config in runs.items():  # a folder of other runs is refused before hours are spent
        run = prepare(config)
        check(run, folder / name, hooks(run))
    worst = program.DONE
    for i, (name, config) in enumerate(runs.items()):
        print(f"run {i + 1} of {len(runs)}: {name}", flush=True)
        status, summary = launch.train(
            prepare(config), folder / name, command, if_diverged="the other methods go on"
        )
        if summary is not None and summary.flops_per_second:  # not where it was through already
            files.write_json(folder / name / SPEED, {"flops_per_second": summary.flops_per_second})
        if status in (program.BAD, program.STOPPED):
            return status
        worst = max(worst, status)
    return worst


def open_parts(values: Any, study: str, **settings: Any) -> tuple[Callable[..., Arrays], range]:
    """Opens the folder of a study of critics.

    A part is a file `NAME.npz`; it appears under its name when all of it is written.

    Args:
      values: the program's flags.
      study: its name.
      **settings: all that the parts depend on beside steps and seeds; JSON.

    Returns:
      `compute(name, function, *args)`, which returns the arrays of `function(*args)`, from the
      folder if they are there; and the seeds of the critics.

    Raises:
      ConfigError: a flag is wrong, the folder has parts of other settings or cannot be written.
    """
    check_seed("--seed", values.seed, values.seeds)
    if values.steps % MEASURES:
        raise ConfigError(f"--steps={values.steps}: must be a multiple of {MEASURES}")
    flag, folder = f"--workdir={values.workdir}", Path(values.workdir).expanduser().absolute()
    check_writable(folder)
    if (folder / CONFIG).exists():
        raise ConfigError(f"{flag}: holds a run; must be a folder of its own")
    settings |= {"study": study, "seed": values.seed, "seeds": values.seeds, "steps": values.steps}
    path, wanted = folder / SETTINGS, json.loads(json.dumps(settings))
    if path.exists():
        with files.reading(path, "; choose another workdir"):
            before = dict(files.read_json(path, finite=False))
        for name in dict.fromkeys([*wanted, *before]):
            if before.get(name) != wanted.get(name):
                raise ConfigError(
                    f"{flag}: {name} is {before.get(name)!r} there, {wanted.get(name)!r} here; "
                    "give another folder, or the same command to resume that study"
                )
    else:
        with files.writing(flag):
            folder.mkdir(parents=True, exist_ok=True)
            files.write_json(path, wanted)
    enable_compilation_cache()
    seeds = range(values.seed, values.seed + values.seeds)
    return functools.partial(computed, folder), seeds


def computed(
    folder: Path, name: str, function: Callable[..., Mapping[str, Any]], *args: Any
) -> Arrays:
    """Returns the arrays of `function(*args)`, from `NAME.npz` in `folder` if they are there."""
    path = folder / f"{name}.npz"
    if not path.exists():
        print(f"computing {name}", flush=True)
        arrays = {n: np.asarray(v) for n, v in function(*args).items()}
        with files.writing(f"--workdir={folder}"), files.replacing(path) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    return read_npz(path, f"{path} (remove it to compute it again)")


def history(run: str | Path) -> dict[str, Series]:
    """Reads the metrics of one number a member that the run in a folder has written."""
    found: dict[str, list[tuple[int, list[float]]]] = {}
    for row in read_metrics(Path(run).expanduser() / METRICS):
        for name, value in row.items():
            if "/" in name and np.ndim(value) == 1:
                found.setdefault(name, []).append((row["step"], value))
    return {
        name: Series(np.array([s for s, _ in rows]), np.array([v for _, v in rows], np.float64))
        for name, rows in found.items()
    }


def seconds(run: str | Path) -> float:
    """Returns how long the run in a folder took, over all its resumptions."""
    rows = read_metrics(Path(run).expanduser() / METRICS)
    return float(rows[-1].get("wall_seconds", math.nan)) if rows else math.nan


def flops_per_second(run: str | Path) -> float:
    """Returns the floating point operations a second that the run in a folder reached last."""
    path = Path(run).expanduser() / SPEED
    if not path.exists():
        return math.nan
    with files.reading(path):
        return float(files.read_json(path)["flops_per_second"])


def report(
    workdir: str | Path, tables: Mapping[str, Sequence[Row]], pictures: Mapping[str, np.ndarray]
) -> None:
    """Prints the tables, and writes them (`results.json`, `results.md`) and the pictures (PNG).

    Arrays of members are shown as mean ± standard error over those that are finite; the JSON has
    all of them.

    Raises:
      ConfigError: the workdir cannot be written.
    """
    folder = Path(workdir).expanduser().absolute()
    text, record = [], {}
    for title, rows in tables.items():
        print(f"{title}\n\n{plain(rows)}\n")
        text += [f"## {title}\n", f"{markdown(rows)}\n"]
        record[title] = [{n: _recorded(v) for n, v in row.items()} for row in rows]
    text += [f"![{name}]({name}.png)\n" for name in pictures]
    with files.writing(f"--workdir={workdir}"):
        folder.mkdir(parents=True, exist_ok=True)
        for name, picture in pictures.items():
            save_png(folder / f"{name}.png", picture)
        files.write_json(folder / f"{RESULTS}.json", record)
        files.write_whole(folder / f"{RESULTS}.md", "\n".join(text))
    for name in [f"{RESULTS}.md", f"{RESULTS}.json", *(f"{n}.png" for n in pictures)]:
        print(folder / name, flush=True)


def plain(rows: Sequence[Row]) -> str:
    """Returns a table as aligned text; arrays of members are mean ± standard error."""
    return _aligned(_cells(rows)) + _explained(rows)


def markdown(rows: Sequence[Row]) -> str:
    """Returns a table in Markdown; arrays of members are mean ± standard error."""
    return "\n".join(_markdown(_cells(rows))) + _explained(rows)


def _recorded(value: Any) -> Any:
    """Returns a cell as JSON: members with mean and standard error, None where not finite."""
    if isinstance(value, str | int):
        return value
    members = np.asarray(value, np.float64)
    if members.ndim == 0:
        return float(members) if math.isfinite(members) else None
    over = {n: v for n, v in spread(members).record().items() if n in ("mean", "standard_error")}
    return over | {"members": [v if math.isfinite(v) else None for v in members.tolist()]}


def _cells(rows: Sequence[Row]) -> list[list[str]]:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return [columns, *([_shown(row.get(name, "")) for name in columns] for row in rows)]


def _shown(value: Any) -> str:
    if isinstance(value, str | int):
        return str(value)
    values = np.asarray(value, np.float64)
    if values.ndim == 0:
        return f"{value:.4g}" if math.isfinite(value) else "not finite"
    over = spread(values)
    if not over.finite:
        return "not finite"
    return str(over) + (f" ({over.lost} not finite)" if over.lost else "")


def _explained(rows: Sequence[Row]) -> str:
    """Explains the ± of a table, after an empty line; empty where there is none."""
    each = [spread(v).finite for row in rows for v in row.values() if np.ndim(v) == 1]
    text = explained(each, "seeds")
    return f"\n\n{text}" if text else ""


def _aligned(cells: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def _markdown(cells: Sequence[Sequence[str]]) -> list[str]:
    rule = ["---"] * len(cells[0])
    return [f"| {' | '.join(row)} |" for row in (cells[0], rule, *cells[1:])]
