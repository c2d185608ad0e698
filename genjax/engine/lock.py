"""The lock of a run's folder: one process at a time trains in it."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import jax

from genjax.core.config import ConfigError


@contextlib.contextmanager
def lock(workdir: Path) -> Iterator[None]:
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
