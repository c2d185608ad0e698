"""Trained runs that another one uses as it trains: a teacher, a text autoencoder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

from genjax.core import files
from genjax.core.config import fail, for_one_device
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.start import checkpoint
from genjax.engine.workdir import read_config, read_population


def record(workdir: Path | None, name: str, **kinds: type) -> dict[str, Any] | None:
    """Reads what a run's folder keeps of such a run; None where it keeps nothing.

    Args:
      workdir: the folder, if it is there.
      name: of the file in it.
      **kinds: what it must hold beside `step` and `checksum`, by name.

    Raises:
      ConfigError: the file is damaged.
    """
    if workdir is None or not (workdir / name).exists():
        return None
    kinds = {"step": int, "checksum": str} | kinds
    read = files.read_object(workdir / name)
    with files.reading(workdir / name):
        if not all(isinstance(read[key], kind) for key, kind in kinds.items()):
            *most, last = kinds
            raise ValueError(f"must hold {', '.join(most)} and {last}")
    return read


def found(
    name: str, section: Any, record: Mapping[str, Any] | None
) -> tuple[Checkpoints, int, str]:
    """Finds the checkpoint of such a run, its number and its checksum.

    Args:
      name: of the section that names the run by its fields `workdir` and `step`.
      section: its values.
      record: `step` and `checksum` of the one that the new run began with, if it has begun.

    Raises:
      ConfigError: there is no such run or checkpoint, or it is another than that of `record`.
    """
    wanted = section.step
    if record is not None:
        wanted = "best" if section.step == "best" else str(record["step"])
    _, checkpoints, step = checkpoint(name, section.workdir, wanted)
    checksum = checkpoints.checksum(step)
    if record is not None and (record["step"], record["checksum"]) != (step, checksum):
        message = f"its checkpoint {step} is another than this run began to learn from"
        raise fail(f"{name}.workdir", section.workdir, message)
    return checkpoints, step, checksum


def opened(
    name: str,
    section: Any,
    checkpoints: Checkpoints,
    step: int,
    prepare: Callable[..., Any],
    protocol: Any,
    lacks: str,
) -> tuple[Any, Any]:
    """Opens such a run: made concrete, and what of its state it is used with, by name.

    Args:
      name, section: as of `found`.
      checkpoints, step: what `found` gives.
      prepare: `genjax.engine.run.prepare`.
      protocol: of `genjax.core.capabilities`, that its family must have.
      lacks: what a family without it does, for the error.

    Raises:
      ConfigError: its family has not that protocol.
    """
    folder = Path(section.workdir).expanduser().absolute()
    config = read_config(section.workdir, given_by=f"config.{name}.workdir")
    run = prepare(for_one_device(config), folder, use=True, **read_population(folder))
    if not isinstance(run.family, protocol):
        message = f"is a run of the family {config.family}, which {lacks}"
        raise fail(f"{name}.workdir", section.workdir, message)
    whole = run.executor.template()
    names = ("params", "ema", "variables")
    template = {n: getattr(whole, n) for n in names if getattr(whole, n)}
    return run, jax.device_get(checkpoints.restore_step(template, step, part=True))
