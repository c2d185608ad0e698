"""Trains recipes until it is killed.

`python -m tests.contracts.training_child WORKDIRS FOLDER NAME…` trains each recipe step by step, in
a thread and a workdir of its own. At step 10 the thread halts for good, having made steps that no
checkpoint holds: the newest is of step 8. Then the next recipe begins.
"""

import sys
import threading
import time
from pathlib import Path
from typing import Any

from genjax.engine import loop
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.run import prepare
from tests.contracts import recipes


def _train_until_halt(name: str, workdir: Path, folder: Path) -> None:
    halted, failed = threading.Event(), threading.Event()

    def halt(state: Any) -> Any:
        halted.set()
        threading.Event().wait()

    def run() -> None:
        config = recipes.tiny(name, folder, chunk=1, log_every=5, checkpoint_every=4, eval_every=10)
        prepared = prepare(recipes.lipschitz(config))
        prepared.executor.evaluate = halt  # type: ignore[method-assign]
        try:
            loop.train(prepared, workdir)
        finally:
            failed.set()

    threading.Thread(target=run, daemon=True).start()
    while not (halted.is_set() and 8 in Checkpoints(workdir / "checkpoints").steps()):
        if failed.is_set():
            sys.exit(f"{name} ended before it was killed")
        time.sleep(0.01)


if __name__ == "__main__":
    workdirs, folder, *names = sys.argv[1:]
    for name in names:
        _train_until_halt(name, Path(workdirs) / name, Path(folder))
    print("halted", flush=True)
    threading.Event().wait()
