"""Arrays that take long to compute, kept below the data cache and checked when they are read."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from genjax.core.config import ConfigError
from genjax.data import cache

Arrays = dict[str, np.ndarray]


def arrays(folder: Path, identity: dict[str, Any], compute: Callable[[], Arrays]) -> Arrays:
    """Returns what `compute()` does, computed once for each `identity`.

    An entry whose files are not what was written is computed again, with a warning. Where the
    folder cannot be written it is computed each time, with a warning too: a run goes on.

    Args:
      folder: as `genjax.data.cache.root` gives it.
      identity: all that the arrays depend on, as JSON; see `genjax.data.cache.entry`.
      compute: the arrays by name.
    """
    computed: list[Arrays] = []

    def build(into: Path) -> dict[str, Any]:
        computed.append(compute())
        for name, array in computed[0].items():
            np.save(into / f"{name}.npy", array)
        return {"checksums": _checksums(into)}

    try:
        entry = cache.entry(folder, identity, build)
        if not computed and _checksums(entry.folder) != entry.info["checksums"]:
            logging.warning("%s is damaged and is computed again", entry.folder)
            shutil.rmtree(entry.folder)
            entry = cache.entry(folder, identity, build)
        return computed[0] if computed else entry.load(mmap=False)
    except (ConfigError, OSError) as error:
        found = computed[0] if computed else compute()
        logging.warning("Not kept for the next time: %s", error)
        return found


def _checksums(folder: Path) -> dict[str, str]:
    result = {}
    for path in sorted(folder.glob("*.npy")):
        with path.open("rb") as f:
            result[path.name] = hashlib.file_digest(f, "sha256").hexdigest()
    return result
