"""The folder of a run: checked before anything is written, and `config.json` in it."""

import contextlib
import datetime
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
from absl import logging
from ml_collections import ConfigDict

from genjax import families
from genjax.core import files
from genjax.core.config import ConfigError
from genjax.core.renamed import renamed, renamed_field
from genjax.data import record as data_record
from genjax.data.source import Dataset
from genjax.engine import divergence
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.layout import CHECKPOINTS, CONFIG, POPULATION, SWEEP
from genjax.engine.repair import carried_config, is_record, repair
from genjax.engine.versions import ran_on

# What may differ when a run is resumed: how it is run and reported, not what is computed.
FREE = frozenset(
    {
        "executor",
        "chunk",
        "sharding",
        "mesh",
        "log_every",
        "eval_every",
        "sample_every",
        "checkpoint_every",
        "keep_checkpoints",
        "keep_every",
        "num_samples",
        "data.dir",
        "data.cache_dir",
        "data.bleu_tokenize",
        "data.device_limit_mb",
        "eval_metrics",
        "eval_num_samples",
        "eval_weights",
        "best_metric",
        "best_mode",
    }
)
# The length, which may change where no schedule depends on it.
_LENGTH = frozenset({"steps", "epochs", "examples"})
_ENDLESS = ("constant", "inverse_sqrt")  # schedules


def open_workdir(
    path: str | os.PathLike[str],
    config: ConfigDict,
    dataset: Dataset | None = None,
    *,
    resume: bool = True,
) -> Path:
    """Makes `path` the folder of a run with `config`, new or resumed, and writes `config.json`.

    Everything is checked before anything is written; where writing fails after all, what was made
    is removed again. Every process calls it; process 0 writes.

    Args:
      path: the folder; it and its parents need not exist.
      config: the resolved config.
      dataset: its data, which are recorded.
      resume: whether a run that is there already may be continued.

    Raises:
      ConfigError: the folder holds a run of another config (the first fields that differ are named)
        or of other data, or cannot be made or written.
    """
    workdir, before = check_workdir(path, config, dataset, resume=resume)
    write_run(path, config, dataset, before)
    return workdir


def check_workdir(
    path: str | os.PathLike[str],
    config: ConfigDict,
    dataset: Dataset | None = None,
    *,
    resume: bool = True,
    population: Mapping[str, Any] = MappingProxyType({}),
    given_by: str = "--workdir",
) -> tuple[Path, dict[str, Any] | None]:
    """Checks what `open_workdir` does; returns the folder and what its `config.json` holds so far.

    The folder must be that of `population` as well, see `read_population`, if there is one.
    `given_by` is what errors call a folder that is taken.
    """
    workdir = Path(path).expanduser().absolute()
    check_writable(workdir)
    repair(workdir)
    before = _read_record(workdir)
    if before is not None:
        if not resume:
            raise ConfigError(f"{given_by}={path}: holds a run already; choose another folder")
        changed = divergence.may_change if divergence.read(workdir) else lambda field: False
        _check_same(path, before["config"], config, changed)
    elif (workdir / SWEEP).exists():  # which a run's config.json would lock out
        raise ConfigError(f"{given_by}={path}: holds a sweep; choose another folder")
    elif (workdir / CHECKPOINTS).exists():
        raise ConfigError(
            f"--workdir={path}: has {CHECKPOINTS} but no {CONFIG}, so their config is not known; "
            "choose another folder"
        )
    if before is not None and dataset is not None and "data" in before:
        data_record.check(
            _data_of(workdir, before), dataset, f"config.data.name={config.data.name!r}"
        )
    if population and read_population(workdir) not in ({}, _plain(population)):
        raise ConfigError(
            f"--workdir={path}: holds a population of other seeds or values (see {POPULATION}); "
            "give another workdir, or the same command to resume that one"
        )
    return workdir, before


def write_run(
    path: str | os.PathLike[str],
    config: ConfigDict,
    dataset: Dataset | None,
    before: dict[str, Any] | None,
    others: Mapping[str, bytes] = MappingProxyType({}),
    start: Mapping[str, Any] = MappingProxyType({}),
    hold: Callable[[], Any] = lambda: None,
) -> None:
    """Writes `config.json`, which makes a folder that of a run, in process 0.

    Args:
      path: the folder; made if need be.
      config: the resolved config.
      dataset: its data, which are recorded.
      before: what `config.json` held.
      others: further files of the run, by relative path; what is there already stays.
      start: what it started from, see `genjax.engine.start.Begun`.
      hold: is called once the folder is there, before anything is written into it.

    Raises:
      ConfigError: something cannot be written, and what was made is removed again; or another
        process has begun a run there.
    """
    if jax.process_index() != 0:
        return
    workdir = Path(path).expanduser().absolute()
    record = _record(config, dataset, before)
    if start:
        record["started_from"] = dict(start)
    elif before and "started_from" in before:
        record["started_from"] = before["started_from"]
    made = [p for p in (workdir, *workdir.parents) if not p.exists()]
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        hold()
        if before is None and (workdir / CONFIG).exists():
            raise ConfigError(f"--workdir={path}: another process has just begun a run there")
        for name, content in others.items():
            if not (workdir / name).exists():
                made = [workdir / name, *({(workdir / name).parent} - {workdir}), *made]
                (workdir / name).parent.mkdir(exist_ok=True)
                files.write_whole(workdir / name, content)
        files.write_json(workdir / CONFIG, record)
    except OSError as error:
        for p in made:
            with contextlib.suppress(OSError):  # a folder that holds something stays
                p.rmdir() if p.is_dir() else p.unlink(missing_ok=True)
        reason = error.strerror or error
        raise ConfigError(f"--workdir={path}: cannot be written ({reason})") from error


def read_data(workdir: Path) -> dict[str, Any] | None:
    """Reads what the run recorded of its data (`genjax.data.record.of`); None of an older run."""
    record = _read_record(workdir)
    return _data_of(workdir, record) if record and "data" in record else None


def read_population(workdir: Path) -> dict[str, Any]:
    """Reads `seeds` and `hyperparameters` that a sweep gave a group; empty for other runs."""
    path = workdir / POPULATION
    if not path.exists():
        return {}
    with files.reading(path):
        record = files.read_json(path)
        seeds, swept = record["seeds"], record["hyperparameters"]
        swept = {renamed_field(name): values for name, values in swept.items()}
        if not all(type(seed) is int for seed in seeds):
            raise ValueError("seeds: must be a list of whole numbers")
        for name, values in swept.items():
            if len(values) != len(seeds) or not all(isinstance(v, int | float) for v in values):
                raise ValueError(f"{files.shown(name)}: must be a number for each seed")
        return {"seeds": seeds, "hyperparameters": swept}


def _data_of(workdir: Path, record: dict[str, Any]) -> dict[str, Any]:
    found = record["data"]
    if not isinstance(found, dict) or not isinstance(found.get("spec"), dict):
        raise ConfigError(f"{workdir / CONFIG}: its record of the data cannot be read")
    return found


def read_config(
    workdir: str | os.PathLike[str], *, need_checkpoint: bool = True, given_by: str = "--workdir"
) -> ConfigDict:
    """Reads the config of the run in `workdir`, locked; arrays of the JSON are tuples.

    `given_by` is what errors call the folder.

    Raises:
      ConfigError: there is no such folder, no run of a known family in it, or no complete
        checkpoint of it.
    """
    folder = Path(workdir).expanduser().absolute()
    if not folder.is_dir():
        raise ConfigError(
            f"{given_by}={workdir}: no such folder; give the folder of a training run"
        )
    repair(folder)
    record = _read_record(folder)
    if record is None:
        raise ConfigError(
            f"{given_by}={workdir}: has no {CONFIG}; give the folder of a training run"
        )
    if need_checkpoint and not Checkpoints(folder / CHECKPOINTS).steps():
        raise ConfigError(
            f"{given_by}={workdir}: has no complete checkpoint yet; train longer or again"
        )
    _warn_if_edited(folder, record)
    try:
        config = families.completed(record["config"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, ConfigError) and str(error).startswith("config.family="):
            raise  # what to do about it is not told by the file
        raise ConfigError(f"{folder / CONFIG}: {files.reason(error, 250)}") from error
    return config.lock()


def check_writable(workdir: Path) -> None:
    """Raises `ConfigError` unless `workdir` is a folder, or can become one, and can be written."""
    there = next(p for p in (workdir, *workdir.parents) if p.exists() or p.is_symlink())
    if not there.is_dir():
        what = "is a file" if there == workdir else f"{there} is a file"
        raise ConfigError(f"--workdir={workdir}: {what}; must be a folder or not exist yet")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(
            f"--workdir={workdir}: {there} cannot be written (read-only, or not yours); "
            "choose another folder"
        )


def _read_record(workdir: Path) -> dict[str, Any] | None:
    path = workdir / CONFIG
    if not path.exists():
        return None
    with files.reading(path, "; choose another workdir"):
        record = files.read_json(path, finite=False)
    if not is_record(record):
        raise ConfigError(f"{path}: is not a run's {CONFIG}; choose another workdir")
    return {**record, "config": renamed(record["config"])}


def _check_same(
    path: Any, before: dict[str, Any], config: ConfigDict, may_change: Callable[[str], bool]
) -> None:
    """Raises `ConfigError` if fields differ that make it another run, but for `may_change`."""
    old, new = _flat(before), _flat(_plain(config))
    usual = _flat(_plain(families.default_config(config.family)))
    # A field that is younger than the run, at its default, is what the run has always done.
    old = {f: usual[f] for f in new if f not in old and f in usual} | old
    spanning = _spanning(config.family, old) or _spanning(config.family, new)
    free = FREE if spanning else FREE | _LENGTH
    if (old.get("executor") == "vmap") != (new.get("executor") == "vmap"):
        free -= {"executor"}  # the arrays of a population have an axis more
    absent = object()
    differ = [
        field
        for field in dict.fromkeys([*new, *old])
        if field not in free
        and not may_change(field)
        and old.get(field, absent) != new.get(field, absent)
    ]
    if not differ:
        return

    def show(flat: dict[str, Any], field: str) -> str:
        return repr(flat[field]) if field in flat else "absent"

    message = "; ".join(
        f"config.{f} is {show(old, f)} there, {show(new, f)} here" for f in differ[:3]
    )
    more = f"; and {len(differ) - 3} more" if len(differ) > 3 else ""
    why = ""
    if differ[0] in _LENGTH:
        why = f" (config.{spanning} goes by the run's length, which is fixed therefore)"
    raise ConfigError(
        f"--workdir={path}: holds a run of another config: {message}{more}{why}. "
        "Give another workdir, or these values to resume that run"
    )


def _spanning(family: str, flat: Mapping[str, Any]) -> str:
    """Returns a field of a config by which a step depends on the run's length; "": there is none.

    Those are schedules that have an end, and fields that are declared to be like that.
    """
    declared = {f.name for f in families.described(family) if f.spans_run}
    for name, value in flat.items():
        if name.split(".")[-1] == "schedule" and value not in _ENDLESS:
            return name
        if name in declared and any(value if isinstance(value, list | tuple) else [value]):
            return name
    return ""


def _warn_if_edited(workdir: Path, record: dict[str, Any]) -> None:
    """Warns of what decides the model and differs from the newest checkpoint's `config.json`."""
    found = carried_config(workdir)
    if found is None:
        return
    there, here = (_deciding(r) for r in (found[1], record))
    absent = object()
    differ = [
        name
        for name in dict.fromkeys([*there, *here])
        if there.get(name, absent) != here.get(name, absent)
    ]
    if differ:
        more = f" and {len(differ) - 3} more" if len(differ) > 3 else ""
        logging.warning(
            "warning: %s: %s%s not as in checkpoint %d: edited, or damaged",
            workdir / CONFIG,
            ", ".join(differ[:3]),
            more,
            found[0],
        )


def _deciding(record: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields that decide what a model is, and the names and shapes of its data."""
    flat = {
        n: v
        for n, v in _flat(renamed(record["config"])).items()
        if n not in FREE | _LENGTH and not divergence.may_change(n)
    }
    data = record.get("data")
    known = data if isinstance(data, dict) else {}
    return flat | {f"data: {n}": known.get(n) for n in ("spec", "classes", "attributes")}


def _record(
    config: ConfigDict, dataset: Dataset | None, before: dict[str, Any] | None
) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    record = {"config": _plain(config)} | ran_on()
    record["started"] = now if before is None else before.get("started", now)
    if dataset is not None:
        record["data"] = data_record.of(dataset)
    elif before is not None and "data" in before:
        record["data"] = before["data"]
    return record if before is None else record | {"resumed": now}


def _plain(config: Any) -> dict[str, Any]:
    """Returns a config, or a dict, as what its JSON reads back as."""
    return dict(
        json.loads(json.dumps(config.to_dict() if isinstance(config, ConfigDict) else config))
    )


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
