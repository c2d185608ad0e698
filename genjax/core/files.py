"""Files: those that others made are read within bounds, our own are written whole or not at all.

A folder that was downloaded may hold anything: a JSON of gigabytes or of a million brackets, a
name that leads out of the folder, a number that claims more memory than there is. Whatever reads
files reads them by these functions, which refuse such things in one line; none follows a name out
of its folder, and none executes anything.
"""

import contextlib
import json
import math
import os
import secrets
import shutil
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from genjax.core.config import ConfigError

LARGEST_JSON = 64 * 2**20  # bytes; the largest of real ones, of a vocabulary, has some ten MB
LONGEST_LINE = 16 * 2**20  # bytes, of texts that are read by lines
PACKED = 1032  # bytes that one byte of a deflated file can stand for at most


def shown(value: Any, most: int = 60) -> str:
    """Returns `repr(value)`, cut in its middle where it is long."""
    text = repr(value[: 4 * most] if isinstance(value, str) else value)
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 3 :]}"


def reason(error: BaseException, most: int = 160) -> str:
    """Says why something failed, in one line that is not long."""
    message = str(getattr(error, "strerror", None) or error).strip()
    line = (message.splitlines() or [""])[0].strip() or type(error).__name__
    return line if len(line) <= most else f"{line[: most - 1]}…"


def opened(path: Path) -> BinaryIO:
    """Opens a regular file to read; `OSError` for a pipe or a device, which may never end."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        if Path(path).is_dir():
            raise IsADirectoryError(21, "is a folder; must be a file", str(path))
        raise OSError(22, "is no regular file", str(path))
    return os.fdopen(handle, "rb")


def read_bytes(path: Path, most: int = LARGEST_JSON) -> bytes:
    """Reads all of a regular file; `OSError` where it has more than `most` bytes."""
    with opened(path) as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise OSError(27, f"has more than {most:,} bytes", str(path))
    return found


def parse_json(text: bytes | str, *, finite: bool = True) -> Any:
    """Parses a JSON text in UTF-8.

    `finite`: whether NaN and infinite numbers, which JSON does not have, are refused.

    Raises:
      ValueError: it is none, is nested too deeply, or names a key twice.
    """
    text = text.decode("utf-8") if isinstance(text, bytes) else text
    strict: dict[str, Any] = {"parse_constant": _refuse, "parse_float": _finite} if finite else {}
    try:
        return json.loads(text, object_pairs_hook=_object, **strict)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error


def read_json(path: Path, *, finite: bool = True, most: int = LARGEST_JSON) -> Any:
    """Reads the value in a JSON file; see `parse_json`.

    Raises:
      OSError: no such file, no regular one, or more than `most` bytes.
    """
    return parse_json(read_bytes(path, most), finite=finite)


def read_object(path: Path, end: str = "") -> dict[str, Any]:
    """Reads the object in a JSON file; raises `ConfigError`, which ends with `end`, without one."""
    with reading(path, end):
        found = read_json(path)
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: must hold a JSON object{end}")
    return found


@contextlib.contextmanager
def reading(name: Any, end: str = "") -> Iterator[None]:
    """Turns errors of reading within into a `ConfigError` that ends with `end`."""
    try:
        yield
    except ConfigError:
        raise
    except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError, AttributeError) as e:
        raise ConfigError(f"{name}: cannot be read ({reason(e)}){end}") from e


def lines(path: Path) -> Iterator[str]:
    """Yields the lines of a file of records without their ends; leaves out overlong ones."""
    with opened(path) as file:
        whole = True
        while raw := file.readline(LONGEST_LINE):
            before, whole = whole, raw.endswith(b"\n")
            if before and len(raw) < LONGEST_LINE:
                yield raw.decode("utf-8", "replace").rstrip("\r\n")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Opens a file that takes the place of `path` once all of it is on the disk.

    It is written in the same folder, so that the rename stays within one file system; where
    writing fails, `path` is as it was and nothing is left beside it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def building(path: Path, mode: int = 0o777) -> Iterator[Path]:
    """Makes a folder that becomes `path` once all files in it are on the disk.

    A process that is killed leaves it under the name `.NAME.building-…`, for `remove_unfinished`.

    Args:
      path: not there, or an empty folder.
      mode: of the folder.

    Raises:
      OSError: something cannot be written, or another process was first.
    """
    folder = path.with_name(f"{_unfinished(path)}{secrets.token_hex(4)}")
    try:
        folder.mkdir(mode, parents=True)
        yield folder
        for file in folder.rglob("*"):
            if file.is_file():
                with file.open("rb") as f:
                    os.fsync(f.fileno())
        folder.replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_unfinished(path: Path) -> None:
    """Removes what killed processes left of folders that were to become `path`."""
    for folder in path.parent.glob(f"{_unfinished(path)}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _unfinished(path: Path) -> str:
    return f".{path.name}.building-"


def write_whole(path: Path, content: bytes | str) -> None:
    """Makes `content` (texts in UTF-8) that of `path`, all of it or nothing; see `replacing`."""
    with replacing(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as JSON, all of it or nothing."""
    write_whole(path, json.dumps(value, indent=2) + "\n")


@contextlib.contextmanager
def writing(name: Any) -> Iterator[None]:
    """Turns an `OSError` within into a `ConfigError`: `name` cannot be written."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{name}: cannot be written ({reason(error)})") from error


def inside(folder: Path, name: Any) -> Path:
    """Returns the file in `folder` that a file of the folder names.

    Links are resolved, and what they lead to must be in `folder` as well. One kind of folder is
    made of links that lead out of it, the cache of Hugging Face: `NAME/snapshots/REVISION/FILE` is
    a link into `NAME/blobs`, which counts as inside.

    Raises:
      ValueError: the name is none, or leads out of the folder.
    """
    if not isinstance(name, str) or not name or "\0" in name or len(name) > 1000:
        raise ValueError(f"{shown(name)} is no name of a file")
    if name.startswith(("/", "\\", "~")) or ".." in Path(name).parts:
        raise ValueError(f"{shown(name)} leads out of the folder")
    root = folder.resolve()
    allowed = [root]
    if root.parent.name == "snapshots":
        allowed.append(root.parent.parent / "blobs")
    try:
        path = (folder / name).resolve()
    except (OSError, RuntimeError) as error:  # a link to itself
        raise ValueError(f"{shown(name)} is no name of a file ({reason(error)})") from error
    if not any(path.is_relative_to(at) for at in allowed):
        raise ValueError(f"{shown(name)} is a link that leads out of the folder")
    return folder / name


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"names {shown(name)} twice")
            seen.add(name)
    return found


def _refuse(name: str) -> Any:
    raise ValueError(f"holds {name}, which is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"holds {shown(text)}, which is too large")
    return value
