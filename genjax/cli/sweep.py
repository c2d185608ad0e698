"""Trains a recipe with many seeds and settings at once.

    genjax sweep --config=… --workdir=DIR --seeds=32 [--grid FIELD=a,b,c] …

Seeds, and numbers of the optimizers (learning_rate, b1, b2, weight_decay), are members of one
population, trained as one vmapped program. Other fields make groups that are trained one after the
other. The same command again resumes. One row a member goes to DIR/sweep.csv and DIR/sweep.json;
`evaluate` and `sample` take DIR (its members by the numbers of these rows), or the folder of one
group, whose population is a run of its own.
"""

import csv
import functools
import io
import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags
from ml_collections import ConfigDict

from genjax import recipes
from genjax.cli import launch, program
from genjax.core import files
from genjax.core.config import DURATIONS, ConfigError, check_seed, fail, get, validate
from genjax.core.members import explained
from genjax.evaluation import groups as sweeps
from genjax.evaluation.groups import SWEEP, Group

_CSV = "sweep.csv"


class Axis(NamedTuple):
    """A field and the values that it takes."""

    field: str
    values: list[Any]


def _define(values: flags.FlagValues) -> None:
    text: Any = {"flag_values": values}
    flags.DEFINE_string("workdir", "", "The sweep's folder; resumed if there is one in it.", **text)
    flags.DEFINE_integer("seeds", 8, "Seeds of each setting, from config.seed on.", 1, **text)
    flags.DEFINE_multi_string("grid", [], "FIELD=a,b,c: values of a field; repeatable.", **text)


def _sweep(argv: list[str]) -> int:
    said: list[str] = []
    values, config = program.parse_with_config(argv, __doc__, _define, said)
    if config.executor not in ("scan", "vmap"):
        raise fail(
            "executor", config.executor, "a sweep is a population; must be vmap, or left out"
        )
    if config.num_seeds != 1:
        raise fail("num_seeds", config.num_seeds, "must be left at 1; give --seeds")
    workdir = Path(values.workdir).expanduser().absolute()
    groups = plan(config, [parse_axis(config, text) for text in values.grid], values.seeds, workdir)
    from genjax.core.capabilities import Samples
    from genjax.engine.compilation_cache import enable_compilation_cache
    from genjax.engine.opening import check
    from genjax.evaluation.shown import hooks

    enable_compilation_cache()
    _check_workdir(values.workdir, workdir, groups)
    for group in groups:  # all is checked before anything is written
        run = _prepare(group)
        check(run, group.folder, hooks(run))
    samples = isinstance(run.family, Samples)
    for line in said:
        program.say(line)
    _write(workdir, groups, [])
    status = _train_groups(groups, program.command("sweep", *argv))
    if status in (program.BAD, program.STOPPED):
        return status
    rows, fields = sweeps.rows(groups), groups[0].fields()
    _write(workdir, groups, rows)
    print(sweeps.table(rows, fields))
    print(f"\n{workdir / _CSV}\n{workdir / SWEEP}\n")
    looks = ("evaluate", "sample") if samples else ("evaluate",)
    print(_named_best(values.workdir, groups, rows, looks), flush=True)
    return status


def _named_best(
    workdir: str, groups: Sequence[Group], rows: Sequence[sweeps.Row], looks: Sequence[str]
) -> str:
    """Names the best setting in a line, and the commands that look at its best member."""
    fields = groups[0].fields()
    metric, mode = sweeps.criterion(groups[0].config, sweeps.names(rows))
    found = sweeps.best_setting(rows, fields, metric, mode)
    if found is None:
        return "No number of the evaluations says which setting is best; see config.best_metric."
    row, over = found
    label = explained([over.finite], "seeds")
    lines = [
        f"Best setting by {metric} ({mode}): {sweeps.named(row, fields)}: {over}"
        + (f" ({label})" if label else "")
        + f"; its best seed is member {row['member']}:"
    ]
    at = (f"--workdir={workdir}", f"--member={row['member']}")
    lines += [f"  {program.command(name, *at)}" for name in looks]
    return "\n".join(lines)


def parse_axis(config: ConfigDict, text: str) -> Axis:
    """Reads `"FIELD=a,b,c"`; the values have the type of the field in `config`.

    Raises:
      ConfigError: no such field, a value of a wrong type or out of range, or given twice.
    """
    field, equals, listed = text.partition("=")
    field = field.strip().removeprefix("config.")
    recipes.check_field(config, field, listed, flag="--grid=")
    if field in ("seed", "num_seeds", "executor"):
        raise ConfigError(
            f"--grid={text}: {field} cannot be swept; must be another field, or --seeds"
        )
    texts = recipes.split_list(listed)
    if not equals or "" in texts:
        raise ConfigError(f"--grid={text}: must be FIELD=a,b,c with values between the commas")
    configs = [recipes.with_value(config, field, t) for t in texts]
    values = [get(c, field) for c in configs]
    for c in configs:
        validate(c)
    if len({repr(v) for v in values}) < len(values):
        raise ConfigError(f"--grid={text}: holds a value twice; must be distinct")
    return Axis(field, values)


def plan(config: ConfigDict, axes: Sequence[Axis], num_seeds: int, workdir: Path) -> list[Group]:
    """Plans the groups of a sweep over all combinations of values and over the seeds."""
    check_seed("config.seed", config.seed, num_seeds)
    fields = [axis.field for axis in axes]
    if len(lengths := [field for field in fields if field in DURATIONS]) > 1:
        raise ConfigError(f"--grid={lengths[0]}, --grid={lengths[1]}: are two lengths; give one")
    for field in fields:
        if fields.count(field) > 1:
            raise ConfigError(f"--grid={field}: given twice; must be given once with all values")
    inside = [axis for axis in axes if is_injected(axis.field)]
    outside = [axis for axis in axes if not is_injected(axis.field)]
    members = list(itertools.product(*(axis.values for axis in inside), range(num_seeds)))
    seeds = [config.seed + m[-1] for m in members]
    numbers = {axis.field: [float(m[i]) for m in members] for i, axis in enumerate(inside)}
    groups = []
    for i, chosen in enumerate(itertools.product(*(axis.values for axis in outside))):
        settings = {axis.field: value for axis, value in zip(outside, chosen, strict=True)}
        others = dict.fromkeys(DURATIONS, 0) if settings.keys() & {*DURATIONS} else {}
        # The largest value: a weight decay of 0 would leave it out of the program for all members.
        largest = {axis.field: max(axis.values) for axis in inside}
        c = config.copy_and_resolve_references().unlock()
        c.update_from_flattened_dict(
            others | settings | largest | {"executor": "vmap", "num_seeds": num_seeds}
        )
        groups.append(Group(workdir / f"group_{i}", c.lock(), settings, seeds, numbers))
    return groups


def is_injected(field: str) -> bool:
    """Says whether members of one population can differ in `field`."""
    from genjax.core.optimizer import INJECTED

    section, _, name = field.rpartition(".")
    return "." not in section and section.endswith("optimizer") and name in INJECTED


def _prepare(group: Group) -> Any:
    from genjax.engine.run import prepare

    population: dict[str, Any] = {"seeds": group.seeds, "hyperparameters": group.hyperparameters}
    return prepare(group.config, group.folder, **population)


def _train_groups(groups: Sequence[Group], command: str) -> int:
    """Trains all; DIVERGED if all members of some group did, at once what is not DONE."""
    worst = program.DONE
    for i, group in enumerate(groups):
        name = ", ".join(f"{n}={v}" for n, v in group.settings.items())
        print(f"group {i + 1} of {len(groups)}: {len(group.seeds)} members {name}", flush=True)
        status, _ = launch.train(
            _prepare(group),
            group.folder,
            command,
            if_diverged="sweep lower learning rates in another folder",
        )
        if status in (program.BAD, program.STOPPED):
            return status
        worst = max(worst, status)
    return worst


def _check_workdir(given: str, workdir: Path, groups: Sequence[Group]) -> None:
    """Raises `ConfigError` if the folder cannot take this sweep."""
    from genjax.engine.layout import CONFIG
    from genjax.engine.workdir import check_writable

    check_writable(workdir)
    if (workdir / CONFIG).exists():
        raise ConfigError(f"--workdir={given}: holds a single run; must be a folder of its own")
    path = workdir / SWEEP
    if not path.exists():
        return
    with files.reading(path, "; choose another workdir"):
        before = [sweeps.current(g) for g in files.read_json(path, finite=False)["groups"]]
    if before != json.loads(json.dumps(sweeps.record(groups))):
        raise ConfigError(
            f"--workdir={given}: holds another sweep (see {SWEEP}); must be another folder, or the "
            "same command to resume that one"
        )


def _write(workdir: Path, groups: Sequence[Group], rows: Sequence[dict[str, Any]]) -> None:
    """Writes `sweep.json` and, once there are rows, `sweep.csv`."""

    def plain(value: Any) -> Any:  # JSON has no word for what is not finite
        return None if isinstance(value, float) and not math.isfinite(value) else value

    with files.writing(workdir):
        workdir.mkdir(parents=True, exist_ok=True)
        members = [{name: plain(v) for name, v in row.items()} for row in rows]
        files.write_json(workdir / SWEEP, {"groups": sweeps.record(groups), "members": members})
        if rows:
            text = io.StringIO(newline="")
            table = csv.DictWriter(text, sweeps.names(rows))
            table.writeheader()
            table.writerows(rows)
            files.write_whole(workdir / _CSV, text.getvalue())


main = functools.partial(program.run, _sweep, trains=True)
