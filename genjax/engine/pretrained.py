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
from genjax.core import files
from genjax.core.config import fail, get
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.executor import Executor
from genjax.engine.workdir import CHECKPOINTS, CONFIG, read_config, write_json

KEPT = "pretrained"  # the folder of a workdir that keeps the other run's config
_FIELD = "pretrained.workdir"


def adopt(config: ConfigDict, workdir: Path | None) -> ConfigDict:
    """The config with what the other run decides; itself where it names none.

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
            told = f"is {value!r} in the run that config.{_FIELD} names, and decided there"
            raise fail(field, mine, f"{told}; leave it out")
    result = config.copy_and_resolve_references().unlock()
    result.update_from_flattened_dict(decided)
    return result.lock()


def tokenizer(config: ConfigDict) -> Path | None:
    """The folder that keeps the other run's tokenizer; None where the config names none."""
    folder = _folder(config)
    return folder / data.TOKENIZER if folder else None


def keep(config: ConfigDict, workdir: Path) -> None:
    """Writes into `workdir` what of the other run is needed later, unless it is there."""
    folder, kept = _folder(config), workdir / KEPT
    if folder and not (kept / CONFIG).exists():
        kept.mkdir(exist_ok=True)
        write_json(kept / CONFIG, files.read_json(folder / CONFIG, finite=False))


def networks(config: ConfigDict, executor: Executor) -> dict[str, Any]:
    """The other run's networks for `Executor.init`; none where the config names no run.

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
    return tree[part]


def _folder(config: ConfigDict) -> Path | None:
    given = config.pretrained.workdir if "pretrained" in config else ""
    return Path(given).expanduser().absolute() if given else None


def _read(config: ConfigDict, workdir: Path | None) -> ConfigDict:
    """The other run's config, from what `keep` wrote where it did."""
    if workdir is not None and (workdir / KEPT / CONFIG).exists():
        other = read_config(workdir / KEPT, need_checkpoint=False)
    else:
        other = read_config(config.pretrained.workdir, given_by=f"config.{_FIELD}")
    if other.executor == "vmap":
        told = "is a population; must be a single run"
        raise fail(_FIELD, config.pretrained.workdir, told)
    return other
