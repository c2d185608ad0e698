"""The parts of a study that are computed in one go: each is there as a whole, or not yet."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genjax.core import files
from genjax.core.arrays import read_npz
from genjax.core.config import ConfigError

SETTINGS = "study.json"

Arrays = dict[str, np.ndarray]


class Parts:
    """The finished parts in a folder, so that none of them is computed twice.

    A part is a file `NAME.npz`; it appears under its name when all of it is written.

    Args:
      workdir: the study's folder; made if absent.
      settings: all that the parts depend on, the study's name included; JSON.

    Raises:
      ConfigError: the folder has parts of other settings, or cannot be written.
    """

    def __init__(self, workdir: str | Path, settings: Mapping[str, Any]) -> None:
        from genjax.engine.workdir import CONFIG, check_writable

        self._folder = Path(workdir).expanduser().absolute()
        check_writable(self._folder)
        if (self._folder / CONFIG).exists():
            raise ConfigError(f"--workdir={workdir}: holds a run; must be a folder of its own")
        path, wanted = self._folder / SETTINGS, json.loads(json.dumps(settings))
        if path.exists():
            before = _read(path)
            for name in dict.fromkeys([*wanted, *before]):
                if before.get(name) != wanted.get(name):
                    raise ConfigError(
                        f"--workdir={workdir}: {name} is {before.get(name)!r} there, "
                        f"{wanted.get(name)!r} here; give another folder, or the same command to "
                        "resume that study"
                    )
            return
        with files.writing(f"--workdir={workdir}"):
            self._folder.mkdir(parents=True, exist_ok=True)
            files.write_json(path, wanted)

    def compute(self, name: str, function: Callable[..., Mapping[str, Any]], *args: Any) -> Arrays:
        """The arrays of `function(*args)`: from the folder if they are there, else put there.

        Raises:
          ConfigError: the folder cannot be written.
        """
        path = self._folder / f"{name}.npz"
        if not path.exists():
            print(f"computing {name}", flush=True)
            arrays = {n: np.asarray(v) for n, v in function(*args).items()}
            with files.writing(f"--workdir={self._folder}"), files.replacing(path) as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
        return read_npz(path)


def _read(path: Path) -> dict[str, Any]:
    with files.reading(path, "; choose another workdir"):
        return dict(files.read_json(path, finite=False))
