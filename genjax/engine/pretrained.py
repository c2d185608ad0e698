"""Runs that go on from another run: from its networks, with its fields and its tokenizer.

A config with the section `genjax.core.config.pretrained` may name the folder of that run. Its
fields decide those that its networks depend on (`families.adopt`), its tokenizer makes the tokens,
and the parameters of its newest checkpoint, or their averages where it keeps some, stand in the
state at step 0. From then on the new run needs it no more: its config is kept in the new folder, as
the tokenizer is, and a run that is resumed has a checkpoint of its own.
"""

from pathlib import Path
from typing import Any

from absl import logging
from ml_collections import ConfigDict

from genjax import data, families
from genjax.core.config import fail, get
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.executor import Executor
from genjax.engine.layout import CHECKPOINTS, CONFIG, PRETRAINED
from genjax.engine.workdir import read_config

_FIELD = "pretrained.workdir"


def adopt(config: ConfigDict, workdir: Path | None) -> ConfigDict:
    """Returns the config with what the other run decides; itself where it names none.

    Args:
      config: the resolved config.
      workdir: the new run's folder, if it is there.

    Raises:
      ConfigError: there is no such run, it cannot serve, or a field contradicts it: one that is
        neither its nor the family's default.
    """
    if not _folder(config):
        return config
    decided = families.adopt(config, _read(config, workdir))
    defaults = families.default_config(config.family)
    for field, value in decided.items():
        mine = get(config, field)
        if mine not in (value, get(defaults, field)):
            message = f"is {value!r} in the run that config.{_FIELD} names, and decided there"
            raise fail(field, mine, f"{message}; leave it out")
    result = config.copy_and_resolve_references().unlock()
    result.update_from_flattened_dict(decided)
    return result.lock()


def tokenizer(config: ConfigDict) -> Path | None:
    """Returns the folder that keeps the other run's tokenizer; None where the config names none."""
    folder = _folder(config)
    return folder / data.TOKENIZER if folder else None


def kept(config: ConfigDict, workdir: Path) -> dict[str, bytes]:
    """Returns what of the other run is needed later, as files of the new run's folder by name.

    None once they are there: the other run may then be gone.
    """
    folder, name = _folder(config), f"{PRETRAINED}/{CONFIG}"
    return (
        {name: (folder / CONFIG).read_bytes()} if folder and not (workdir / name).exists() else {}
    )


def networks(config: ConfigDict, executor: Executor) -> dict[str, Any]:
    """Restores the other run's networks for `Executor.init`; none where the config names no run.

    Raises:
      ConfigError: it has no complete checkpoint any more, or other networks.
    """
    folder = _folder(config)
    if not folder:
        return {}
    other = read_config(config.pretrained.workdir, given_by=f"config.{_FIELD}")
    part = "ema" if other.ema_decay else "params"
    checkpoints = Checkpoints(folder / CHECKPOINTS)
    template = {part: executor.networks_template(config.pretrained.networks)}
    found = checkpoints.restore(template, part=True)
    checkpoints.close()
    if found is None:
        raise fail(_FIELD, config.pretrained.workdir, "has no complete checkpoint")
    step, tree = found
    names = ", ".join(config.pretrained.networks)
    logging.info("Began with %s of step %d of %s", names, step, config.pretrained.workdir)
    return dict(tree[part])


def _folder(config: ConfigDict) -> Path | None:
    given = config.pretrained.workdir if "pretrained" in config else ""
    return Path(given).expanduser().absolute() if given else None


def _read(config: ConfigDict, workdir: Path | None) -> ConfigDict:
    """Reads the other run's config, from the new one's folder where it is kept there."""
    if workdir is not None and (workdir / PRETRAINED / CONFIG).exists():
        other = read_config(workdir / PRETRAINED, need_checkpoint=False)
    else:
        other = read_config(config.pretrained.workdir, given_by=f"config.{_FIELD}")
    if other.executor == "vmap":
        message = "is a population; must be a single run"
        raise fail(_FIELD, config.pretrained.workdir, message)
    return other
