"""The folder of a run: checked before anything is written, and `config.json` in it."""

import contextlib
import datetime
import fcntl
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from genjax import families
from genjax.core import files
from genjax.core.config import ConfigError, base, fill
from genjax.data import record as data_record
from genjax.data.source import Dataset
from genjax.engine import divergence
from genjax.engine.checkpoints import Checkpoints

CONFIG = "config.json"
CHECKPOINTS = "checkpoints"

_DISTRIBUTION = "genjax-families"  # as pyproject.toml names it; "genjax" is another project

# What may differ when a run is resumed: how it is run and reported, not what is computed.
_FREE = frozenset({
    "executor", "chunk", "sharding", "log_every", "eval_every", "sample_every", "checkpoint_every",
    "keep_checkpoints", "keep_every", "num_samples", "data.dir", "data.cache_dir",
    "data.bleu_tokenize",
    "data.device_limit_mb", "eval_metrics", "eval_num_samples", "eval_weights", "best_metric",
    "best_mode",
})  # fmt: skip
# The length, which may change where no schedule depends on it.
_LENGTH = frozenset({"steps", "epochs", "examples"})


def open_workdir(
    path: str | os.PathLike, config: ConfigDict, dataset: Dataset | None = None, *,
    resume: bool = True,
) -> Path:  # fmt: skip
    """Makes `path` the folder of a run with `config`, new or resumed, and writes `config.json`.

    Everything is checked before anything is written; where writing fails after all, what was made
    is removed again. Every process calls it; process 0 writes.

    Args:
      path: the folder; it and its parents need not exist.
      config: the resolved config.
      dataset: its data, which are recorded.
      resume: whether a run that is there already may be continued.

    Raises:
      ConfigError: the folder holds a run of another config (the first fields that differ are
        named) or of other data, or cannot be made or written.
    """
    workdir, before = check_workdir(path, config, dataset, resume=resume)
    write_record(path, config, dataset, before)
    return workdir


def check_workdir(
    path: str | os.PathLike, config: ConfigDict, dataset: Dataset | None = None, *,
    resume: bool = True,
) -> tuple[Path, dict[str, Any] | None]:  # fmt: skip
    """What `open_workdir` checks; returns the folder and what its `config.json` holds so far."""
    workdir = Path(path).expanduser().absolute()
    check_writable(workdir)
    before = _read_record(workdir)
    if before is not None:
        if not resume:
            raise ConfigError(f"--workdir={path}: holds a run already; choose another folder")
        changed = divergence.may_change if divergence.read(workdir) else lambda field: False
        _check_same(path, before["config"], config, changed)
    elif (workdir / CHECKPOINTS).exists():
        raise ConfigError(
            f"--workdir={path}: has {CHECKPOINTS} but no {CONFIG}, so their config is not known; "
            "choose another folder"
        )
    if before is not None and dataset is not None and "data" in before:
        data_record.check(
            _data_of(workdir, before), dataset, f"config.data.name={config.data.name!r}"
        )
    return workdir, before


def write_record(
    path: str | os.PathLike, config: ConfigDict, dataset: Dataset | None,
    before: dict[str, Any] | None,
) -> None:  # fmt: skip
    """Writes `config.json`, in process 0; `before` is what it held.

    Raises:
      ConfigError: it cannot be written.
    """
    if jax.process_index() != 0:
        return
    workdir = Path(path).expanduser().absolute()
    made = [p for p in (workdir, *workdir.parents) if not p.exists()]
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        write_json(workdir / CONFIG, _record(config, dataset, before))
    except OSError as error:
        for folder in made:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        reason = error.strerror or error
        raise ConfigError(f"--workdir={path}: cannot be written ({reason})") from error


def read_data(workdir: Path) -> dict[str, Any] | None:
    """What the run recorded of its data (`genjax.data.record.of`); None of an older run.

    Raises:
      ConfigError: `config.json` cannot be read.
    """
    record = _read_record(workdir)
    return _data_of(workdir, record) if record and "data" in record else None


def _data_of(workdir: Path, record: dict[str, Any]) -> dict[str, Any]:
    found = record["data"]
    if not isinstance(found, dict) or not isinstance(found.get("spec"), dict):
        raise ConfigError(f"{workdir / CONFIG}: its record of the data cannot be read")
    return found


def read_config(
    workdir: str | os.PathLike, *, need_checkpoint: bool = True, given_by: str = "--workdir"
) -> ConfigDict:
    """The config of the run in `workdir`, locked; arrays of the JSON are tuples.

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
    record = _read_record(folder)
    if record is None:
        raise ConfigError(
            f"{given_by}={workdir}: has no {CONFIG}; give the folder of a training run"
        )
    if need_checkpoint and not Checkpoints(folder / CHECKPOINTS).steps():
        raise ConfigError(
            f"{given_by}={workdir}: has no complete checkpoint yet; train longer or again"
        )
    try:
        config = ConfigDict(_tuples(record["config"]))
        fill(config, base())  # the family among others
        # A field that is younger than the run, at its default, is what the run has always done.
        fill(config, families.default_config(config.family))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, ConfigError) and str(error).startswith("config.family="):
            raise  # what to do about it is not told by the file
        raise ConfigError(f"{folder / CONFIG}: {files.reason(error, 250)}") from error
    return config.lock()


@contextlib.contextmanager
def alone(workdir: Path) -> Iterator[None]:
    """Holds a folder that is there, so that no other process trains in it; ends with the process.

    Process 0 holds it for all of a run's. File systems that know no locks are not protected.

    Raises:
      ConfigError: another process holds it.
    """
    with contextlib.ExitStack() as held:
        if jax.process_index() == 0 and workdir.is_dir():
            with contextlib.suppress(OSError):  # of a folder that may not be read, for one
                folder = os.open(workdir, os.O_RDONLY)
                held.callback(os.close, folder)
                try:
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise ConfigError(
                        f"--workdir={workdir}: another process trains in it; "
                        "wait for its end or stop it, or give another folder"
                    ) from error
        yield


def write_json(path: Path, value: Any) -> None:
    """Writes `value` to `path` as JSON, all of it or nothing."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w") as f:
            json.dump(value, f, indent=2)
            f.write("\n")
            f.flush()
            os.fsync(f.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


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
    try:
        record = files.read_json(path, finite=False)
    except (OSError, ValueError) as error:
        told = f"{path}: cannot be read ({files.reason(error)})"
        raise ConfigError(f"{told}; choose another workdir") from error
    if not isinstance(record, dict) or not isinstance(record.get("config"), dict):
        raise ConfigError(f"{path}: is not a run's {CONFIG}; choose another workdir")
    return record


def _check_same(
    path: Any, before: dict[str, Any], config: ConfigDict, may_change: Callable[[str], bool]
) -> None:
    """Raises `ConfigError` if fields differ that make it another run, but for `may_change`."""
    old, new = _flat(before), _flat(_plain(config))
    usual = _flat(_plain(families.default_config(config.family)))
    # A field that is younger than the run, at its default, is what the run has always done.
    old = {f: usual[f] for f in new if f not in old and f in usual} | old
    scheduled = any(
        value != "constant"
        for flat in (old, new)
        for field, value in flat.items()
        if field.split(".")[-1] == "schedule"
    )
    free = _FREE if scheduled else _FREE | _LENGTH
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

    told = "; ".join(f"config.{f} is {show(old, f)} there, {show(new, f)} here" for f in differ[:3])
    more = f"; and {len(differ) - 3} more" if len(differ) > 3 else ""
    why = " (a schedule ends with the run, so its length is fixed)" if differ[0] in _LENGTH else ""
    raise ConfigError(
        f"--workdir={path}: holds a run of another config: {told}{more}{why}. "
        "Give another workdir, or these values to resume that run"
    )


def _record(
    config: ConfigDict, dataset: Dataset | None, before: dict[str, Any] | None
) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    device = jax.devices()[0]
    record = {
        "config": _plain(config),
        "versions": {"python": platform.python_version()}
        | {name: _version(name) for name in ("jax", "jaxlib", "flax", "optax")}
        | {"genjax": _version(_DISTRIBUTION)},
        "device": {
            "platform": device.platform,
            "kind": device.device_kind,
            "count": jax.device_count(),
            "processes": jax.process_count(),
        },
        "git_revision": _git_revision(),
        "started": now if before is None else before.get("started", now),
    }
    if dataset is not None:
        record["data"] = data_record.of(dataset)
    elif before is not None and "data" in before:
        record["data"] = before["data"]
    return record if before is None else record | {"resumed": now}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    """The revision that genjax is run from, None where it is not run from its own repository."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(root), "rev-parse", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _plain(config: ConfigDict) -> dict[str, Any]:
    """The config as what its JSON reads back as."""
    return json.loads(json.dumps(config.to_dict()))


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _tuples(v) for name, v in value.items()}
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
