"""NumPy's files, read without trust: what a header announces must be what the file holds."""

import collections
import math
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from genjax.core.config import ConfigError
from genjax.core.files import opened, reason


def check_npy(file: BinaryIO, size: int) -> None:
    """Raises `ValueError` unless a `.npy` file of `size` bytes holds exactly the announced array.

    An array of Python objects would be a pickle, which runs what it says; it is refused.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"format {version} is not known")
    read: Any = np.lib.format.read_array_header_1_0
    if version == (2, 0):
        read = np.lib.format.read_array_header_2_0
    try:
        shape, _, dtype = read(file)
    except Exception as error:  # it is parsed as Python's literals, with errors of many types
        raise ValueError(f"its header is none ({type(error).__name__})") from error
    if dtype.hasobject:
        raise ValueError("holds Python objects, which are never read")
    announced = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or announced != size - file.tell():
        raise ValueError(f"announces {announced:,} bytes, and has {size - file.tell():,}")


def sound(path: Path) -> bool:
    """Whether a `.npy` file can be read or mapped: see `check_npy`."""
    try:
        with opened(path) as file:
            check_npy(file, path.stat().st_size)
    except (OSError, ValueError):
        return False
    return True


def read_npz(path: Path, where: str) -> dict[str, np.ndarray]:
    """The arrays of a `.npz` file as `np.savez` writes it, by name; `where` begins errors.

    Raises:
      ConfigError: it is none: damaged, packed (which may unpack to any size), of objects, or with
        two arrays of one name.
    """
    try:
        with opened(path) as file, zipfile.ZipFile(file) as parts:
            left = path.stat().st_size
            for part in parts.infolist():
                left -= part.file_size
                if part.compress_type != zipfile.ZIP_STORED or left < 0:
                    raise ValueError(f"{part.filename[:60]} is packed, or larger than the file")
                with parts.open(part) as array:
                    check_npy(array, part.file_size)  # type: ignore[arg-type]
            names = collections.Counter(p.filename.removesuffix(".npy") for p in parts.infolist())
            if twice := [name for name, count in names.items() if count > 1]:
                raise ValueError(f"holds {twice[0][:60]} twice")
        with np.load(path, allow_pickle=False) as found:
            return dict(found)
    # A damaged header may also say that a part is encrypted, or of a later zip: RuntimeError.
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
        message = f"is no file of arrays as np.savez writes it ({reason(error)})"
        raise ConfigError(f"{where}: {message}") from error
