"""Checkpoints: saved behind the run's back, checked before they are trusted, restored bit for bit.

A checkpoint is `directory/<step>/`: what orbax writes, and a manifest that process 0 adds once
orbax has finalized it. The manifest lists every file with its size and checksum, so a checkpoint
counts as complete only if the save was committed *and* nothing was lost since: truncated array
files would otherwise be read as zeros. This is the only module that imports orbax, and it does so
at the first save (the import costs half a second).
"""

import hashlib
import json
import os
import shutil
import tempfile
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging

from genjax.core import files
from genjax.core.config import ConfigError
from genjax.engine.leaves import (
    check_spec,
    describe,
    detached,
    leaves_of,
    placed,
    read_leaves,
    stored_like,
)

_MANIFEST = "genjax_manifest.json"
_CARRIED = "run"  # folder in a checkpoint of what it carries
_TRASH = ".trash"  # suffix of a checkpoint that is being removed


class SaveError(RuntimeError):
    """A checkpoint could not be written (disk full, read-only, …); the message names the folder."""


class _OtherStep(RuntimeError):
    """The state in a checkpoint's folder is not of the step that the folder is named for."""


class Checkpoints:
    """The checkpoints of one run, one folder a step.

    Arrays that are spread over processes are written by all of them: every process calls `save`,
    `restore`, `wait` and `close` alike, and process 0 alone decides, checks and deletes.

    Args:
      directory: the parent of all checkpoints; made by the first save.
      keep_last: how many of the newest complete checkpoints are kept.
      keep_every: those at multiples of so many steps are kept for good; 0: none.

    Attributes:
      carried: files that each checkpoint holds beside the state: content by relative path.
    """

    def __init__(
        self, directory: str | os.PathLike[str], *, keep_last: int = 2, keep_every: int = 0
    ):
        self.directory = Path(directory).absolute()
        self._keep_last, self._keep_every = keep_last, keep_every
        self.carried: Mapping[str, bytes] = {}
        self._bad: set[int] = set()  # steps that failed their checksums
        self._current: int | None = None  # the step saved or restored last
        self._checkpointer: Any = None
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def warm_up(self) -> None:
        """Imports orbax in a thread, so that the first save need not wait for it."""
        threading.Thread(target=_orbax, name="import_orbax", daemon=True).start()

    def save(
        self, step: int, state: Any, *, wait: bool = False, note: dict[str, Any] | None = None
    ) -> None:
        """Saves `state` as checkpoint `step` in the background, once the last save is through.

        When it returns, the values are copied: the arrays of `state` may be donated. A step that
        this object has just saved or restored is not written again.

        Args:
          step: the checkpoint's name, at least 0.
          state: pytree of arrays and typed PRNG keys, possibly spread over devices and processes.
          wait: return only when the checkpoint is complete.
          note: JSON that is complete with the checkpoint or not at all; see `note`.

        Raises:
          SaveError: this save failed or, as it goes on in the background, the last one.
        """
        self.wait()
        if step != self._current:
            path = self.directory / str(step)
            leaves = leaves_of(state)
            spec = {name: describe(x) for name, x in leaves.items()}
            try:
                if jax.process_index() == 0:
                    self.directory.mkdir(exist_ok=True)  # but not a folder around it that is gone
                    # Orbax's threads would keep the process waiting for one that cannot be made.
                    os.rmdir(tempfile.mkdtemp(suffix=_TRASH, dir=self.directory))
                tree = detached(leaves)
                args = _orbax().args.PyTreeSave(tree)
                self._open().save(path, args=args, force=True)
            except Exception as error:
                raise self._failure(path, error) from error
            self._thread = threading.Thread(
                target=self._finish, args=(step, path, spec, note or {}), name="finish_checkpoint"
            )
            self._thread.start()
        if wait:
            self.wait()

    def wait(self) -> None:
        """Waits for the save in the background; raises its `SaveError` if it failed."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def close(self) -> None:
        """Waits for the save in the background and lets go of orbax; raises like `wait`."""
        try:
            self.wait()
        finally:
            if self._checkpointer is not None:
                self._checkpointer.close()
                self._checkpointer = None

    def steps(self) -> list[int]:
        """Lists the complete checkpoints, oldest first (by their manifests and file sizes)."""
        return [
            step
            for step in self._present()
            if step not in self._bad and not _defect(self.directory / str(step), deep=False)
        ]

    def note(self, step: int) -> dict[str, Any]:
        """Returns what was noted with the complete checkpoint `step`; empty if nothing was."""
        return dict(_manifest(self.directory / str(step)).get("note", {}))

    def spec(self, step: int) -> dict[str, str]:
        """Returns dtype and shape of each leaf of the complete checkpoint `step`, by name."""
        return dict(_manifest(self.directory / str(step))["leaves"])

    def carries(self, step: int) -> dict[str, str]:
        """Returns checksums of the files that checkpoint `step` carries, by relative path."""
        try:
            listed = _manifest(self.directory / str(step))["files"]
        except ConfigError:  # removed meanwhile
            return {}
        inside = f"{_CARRIED}/"
        return {n.removeprefix(inside): c for n, (_, c) in listed.items() if n.startswith(inside)}

    def read_carried(self, step: int, name: str) -> bytes | None:
        """Reads a file that a checkpoint carries; None where it has none, or a damaged one."""
        path, wanted = self.directory / str(step) / _CARRIED / name, self.carries(step).get(name)
        try:
            content = files.read_bytes(path) if wanted else None
        except OSError:
            return None
        return content if content is not None and _digest(content) == wanted else None

    def restore(self, template: Any, *, part: bool = False) -> tuple[int, Any] | None:
        """Restores the newest complete checkpoint as `(step, state)`; None where there is none.

        Passes over incomplete, truncated and corrupted ones with a warning that names them.

        Args:
          template: pytree of `jax.ShapeDtypeStruct` with shardings, as the state is to be placed.
          part: whether the checkpoint may hold more than `template`, which is then not read.

        Raises:
          ConfigError: the newest complete checkpoint has other leaves, shapes or dtypes.
        """
        self.wait()
        while (step := from_process_0(self._newest())) >= 0:
            try:
                return step, self._read(template, step, part)
            except _OtherStep as error:
                self._bad.add(step)
                logging.warning("Checkpoint %s is skipped: %s", self.directory / str(step), error)
        return None

    def check(self, template: Any) -> None:
        """Raises `ConfigError` where `restore` would, by the manifest alone."""
        if (step := self._newest()) >= 0:
            self._check_leaves(leaves_of(template), step)

    def checksum(self, step: int) -> str:
        """Returns a checksum of all that the complete checkpoint `step` holds."""
        return file_checksum(self.directory / str(step) / _MANIFEST)

    def restore_step(self, template: Any, step: int, *, part: bool = False) -> Any:
        """Restores checkpoint `step`; raises `ConfigError` if it is not there or not sound."""
        self.wait()
        defect = _defect(self.directory / str(step), deep=True) if jax.process_index() == 0 else ""
        if from_process_0(bool(defect)):
            raise ConfigError(
                f"{self.directory / str(step)}: not a complete checkpoint"
                f"{': ' + defect if defect else ''}; complete are: {self.steps() or 'none'}"
            )
        try:
            return self._read(template, step, part)
        except _OtherStep as error:
            raise ConfigError(f"{self.directory / str(step)}: {error}") from error

    def _newest(self) -> int:
        """Finds the newest checkpoint whose files match their checksums, -1 without any."""
        if jax.process_index() != 0:
            return -1
        for step in reversed(self._present()):
            path = self.directory / str(step)
            if step in self._bad:
                continue
            defect = _defect(path, deep=True)
            if not defect:
                return step
            self._bad.add(step)
            logging.warning("Checkpoint %s is skipped: %s", path, defect)
        return -1

    def _read(self, template: Any, step: int, part: bool = False) -> Any:
        path = self.directory / str(step)
        wanted = leaves_of(template)
        self._check_leaves(wanted, step, part)
        try:
            stored = {name: stored_like(x) for name, x in wanted.items() if x.size}
            raw = read_leaves(path, stored)
        except (OSError, ValueError) as error:
            # All its files have their checksums: it was written so, by something else than genjax.
            message = f"{path}: cannot be restored ({type(error).__name__}: {files.reason(error)})"
            raise ConfigError(message) from error
        # Of a checkpoint whose manifest does not say it, as older ones do not.
        if "step" in wanted and not wanted["step"].shape and int(raw["step"]) != step:
            raise _OtherStep(f"its state is of step {int(raw['step'])}")
        self._current = step
        return jax.tree.unflatten(jax.tree.structure(template), placed(raw, wanted))

    def _check_leaves(self, wanted: dict[str, Any], step: int, part: bool = False) -> None:
        path = self.directory / str(step)
        there = _manifest(path)["leaves"]
        if part:
            there = {name: spec for name, spec in there.items() if name in wanted}
        check_spec(path, there, wanted)

    def _open(self) -> Any:
        if self._checkpointer is None:
            ocp = _orbax()
            self._checkpointer = ocp.AsyncCheckpointer(ocp.PyTreeCheckpointHandler())
        return self._checkpointer

    def _present(self) -> list[int]:
        if not self.directory.is_dir():
            return []
        return sorted(
            int(p.name) for p in self.directory.iterdir() if p.name.isdecimal() and p.is_dir()
        )

    def _finish(self, step: int, path: Path, spec: dict[str, str], note: dict[str, Any]) -> None:
        """Runs in a thread: waits for orbax's commit, then (process 0) manifest and clean-up."""
        try:
            self._checkpointer.wait_until_finished()
            if jax.process_index() == 0:
                if not _orbax().utils.is_checkpoint_finalized(path):
                    raise RuntimeError("orbax did not commit it")
                _write_carried(path, self.carried)
                _write_manifest(path, step, spec, note)
            self._current = step
            self._bad.discard(step)
        except BaseException as error:
            self._error = self._failure(path, error)
            return
        if jax.process_index() == 0:
            self._clean_up(step)

    def _failure(self, path: Path, error: BaseException) -> SaveError:
        if jax.process_index() == 0:  # what was written is of no use and may fill the disk
            self._remove_leftovers(path.name)
        # Python would report each coroutine that orbax had planned and now leaves undone.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return SaveError(f"cannot save checkpoint {path}: {reason[:300]}")

    def _clean_up(self, newest: int) -> None:
        """Removes what need not be kept, given that `newest` is complete. Later steps stay."""
        self._remove_leftovers("")
        complete = [s for s in self.steps() if s <= newest]
        keep = {newest, *complete[-self._keep_last :]}
        if self._keep_every:
            keep |= {s for s in complete if s % self._keep_every == 0}
        for step in self._present():
            if step < newest and step not in keep:
                path = self.directory / str(step)
                trash = path.with_name(path.name + _TRASH)
                try:
                    path.rename(trash)  # a checkpoint half deleted is never taken for one
                    shutil.rmtree(trash)
                except OSError as error:
                    logging.warning("Checkpoint %s could not be removed: %s", path, error)

    def _remove_leftovers(self, name: str) -> None:
        """Removes temporary folders (of checkpoint `name`, if any) that a killed save left."""
        for path in self.directory.glob(f"{name}*"):
            if path.is_dir() and (".orbax-checkpoint-tmp" in path.name or path.suffix == _TRASH):
                shutil.rmtree(path, ignore_errors=True)


def _orbax() -> Any:
    import orbax.checkpoint as ocp

    # It logs each stage of each save. The filter acts on orbax's records only; what fails is
    # raised from here as an error of our own.
    logging.get_absl_logger().addFilter(_not_from_orbax)
    return ocp


def _not_from_orbax(record: Any) -> bool:
    return f"{os.sep}orbax{os.sep}" not in record.pathname


def file_checksum(path: Path) -> str:
    """Returns that of a file's content, as manifests have it."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _write_carried(path: Path, carried: Mapping[str, bytes]) -> None:
    for name, content in carried.items():
        file = path / _CARRIED / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _write_manifest(path: Path, step: int, spec: dict[str, str], note: dict[str, Any]) -> None:
    """Writes the manifest of the finalized checkpoint `path`, all of it or nothing."""
    listed = {
        str(p.relative_to(path)): [p.stat().st_size, file_checksum(p)]
        for p in sorted(path.rglob("*"))
        if p.is_file() and p.name != _MANIFEST
    }
    body = {"step": step, "leaves": spec, "files": listed, "note": note}
    record = json.dumps(body | {"self": _self_checksum(body)}, indent=0)
    files.write_whole(path / _MANIFEST, record)


def _self_checksum(body: dict[str, Any]) -> str:
    return _digest(json.dumps(body, sort_keys=True).encode())


def _defect(path: Path, *, deep: bool) -> str:
    """Says why the checkpoint is not complete, empty if it is; `deep` reads all files as well."""
    try:
        manifest = files.read_json(path / _MANIFEST, finite=False)
        claimed = manifest.pop("self")
        if _self_checksum(manifest) != claimed:
            return f"{_MANIFEST} is corrupted"
        if not all(isinstance(x, str) for x in manifest["leaves"].values()):
            return f"{_MANIFEST}: leaves must be texts"
        if not isinstance(manifest.get("note", {}), dict):
            return f"{_MANIFEST}: note must be an object"
        if str(manifest.get("step", path.name)) != path.name:  # older ones do not say
            return f"it is that of step {manifest['step']}"
        for name, (size, checksum) in manifest["files"].items():
            file = files.inside(path, name)
            if not file.is_file():
                return f"{name} is missing"
            if file.stat().st_size != size:
                return f"{name} has {file.stat().st_size} bytes instead of {size}"
            if deep and file_checksum(file) != checksum:
                return f"{name} is corrupted (its checksum differs)"
    except FileNotFoundError:
        return f"it was never completed (no {_MANIFEST})" if path.is_dir() else "it does not exist"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{_MANIFEST} cannot be read ({files.reason(error)})"
    return ""


def _manifest(path: Path) -> dict[str, Any]:
    """Reads the manifest of a checkpoint that has no defect again."""
    with files.reading(path / _MANIFEST):
        return dict(files.read_json(path / _MANIFEST, finite=False))


def from_process_0(value: int) -> int:
    """Returns the value that process 0 passes, on all processes, which call it alike."""
    if jax.process_count() == 1:
        return int(value)
    from jax.experimental import multihost_utils

    return int(multihost_utils.broadcast_one_to_all(np.int32(value)))
