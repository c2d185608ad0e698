"""Runs that start from another run: from its networks or its whole state, with its tokenizer.

The section `start` of a config names the folder of that run, which may be of any family: its
tokenizer makes the tokens, its fields decide those that a family says they do (`families.adopt`),
and leaves of one of its checkpoints stand in the state at step 0. What differs in shape is refused
before anything is written. From then on the new run needs the other no more: what decides its
fields is kept in the new folder, and a run that is resumed has a checkpoint of its own.

Words begin with vectors of a file where `start.workdir` names one; see `genjax.engine.vectors`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging
from ml_collections import ConfigDict

from genjax import data, families
from genjax.core.config import fail, get, of_texts
from genjax.core.paths import listed, matches
from genjax.engine import vectors
from genjax.engine.best import BEST, best
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.executor import Executor
from genjax.engine.layout import CHECKPOINTS, CONFIG, PRETRAINED, START
from genjax.engine.leaves import describe, leaves_of
from genjax.engine.workdir import read_config

_FIELD = "start.workdir"


class Begun(NamedTuple):
    """What a run begins with.

    Attributes:
      step: at which it begins.
      leaves: what stands in place of the random leaves of its state, by name, for `Executor.init`.
      record: what `config.json` says of it.
    """

    step: int = 0
    leaves: Mapping[str, Any] = MappingProxyType({})
    record: Mapping[str, Any] = MappingProxyType({})


class _Source(NamedTuple):
    """A checkpoint: its `spec` says dtype and shape of each leaf, as in `float32[3,4]`."""

    checkpoints: Checkpoints
    step: int
    newest: bool
    spec: Mapping[str, str]
    members: int  # of a population; 0 of a single run
    config: ConfigDict


def adopt(config: ConfigDict, workdir: Path | None) -> ConfigDict:
    """Returns the config with what the other run decides; itself where it names none.

    Args:
      config: the resolved config.
      workdir: the new run's folder, if it is there.

    Raises:
      ConfigError: there is no such run, it cannot serve, or a field contradicts it: one that is
        neither its nor the family's default.
    """
    other = _other(config, workdir)
    if other is None:
        return config
    decided = families.adopt(config, other)
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
    """Returns the folder that keeps the other run's tokenizer; None where no text has one."""
    path = _path(config)
    if path is None or path.is_file() or not of_texts(config.data):
        return None
    return path / data.TOKENIZER


def kept(config: ConfigDict, workdir: Path) -> dict[str, bytes]:
    """Returns what of the other run is needed later, as files of the new run's folder by name.

    None once there is a run in it: the other one may then be gone.
    """
    path = _path(config)
    if path is None or path.is_file() or (workdir / CONFIG).exists():
        return {}
    return {f"{START}/{CONFIG}": (path / CONFIG).read_bytes()}


def check(config: ConfigDict, executor: Executor) -> None:
    """Raises `ConfigError` where `begin` would, as far as a manifest tells."""
    path = _path(config)
    if path is not None and not path.is_file():
        _pairs(config, executor, _open(config))


def begin(config: ConfigDict, executor: Executor, total_steps: int) -> Begun:
    """Reads what the new run begins with; nothing where its config names nothing.

    Raises:
      ConfigError: the other run has no such checkpoint, or what is taken of it differs.
    """
    path = _path(config)
    if path is None:
        return Begun()
    record = {"workdir": str(path)} | {n: config.start[n] for n in ("what", "member")}
    if path.is_file():
        leaves, number, of = vectors.begin(config, executor, path)
        logging.info("Began with vectors of %s of %s words, of %s", f"{number:,}", f"{of:,}", path)
        return Begun(0, leaves, {"file": str(path), "words": number})
    source = _open(config)
    pairs = _pairs(config, executor, source)
    whole = config.start.what == "state"
    if whole and source.step >= total_steps:
        message = f"goes on from step {source.step} and ends at step {total_steps}; give more steps"
        raise fail(_FIELD, config.start.workdir, message)
    taken = "the whole state" if whole else listed(dict.fromkeys(map(_network, pairs)), 4)
    logging.info("Began with %s of step %d of %s", taken, source.step, path)
    _warn_of_model(config, source)
    leaves = _read(config, executor, source, pairs)
    record |= {"step": source.step, "leaves": len(set(pairs.values()))}
    return Begun(source.step if whole else 0, leaves, record)


def _warn_of_model(config: ConfigDict, source: _Source) -> None:
    """Warns of fields of the model that differ, as some do not show in shapes."""
    here, there = config.get("model", {}), source.config.get("model", {})
    if config.family != source.config.family:
        return
    differ = [
        f"{n} is {there.get(n)!r} there, {v!r} here" for n, v in here.items() if there.get(n) != v
    ]
    if differ:
        logging.warning("warning: config.%s: model.%s", _FIELD, listed(differ, 4))


def _path(config: ConfigDict) -> Path | None:
    given = config.start.workdir if "start" in config else ""
    return Path(given).expanduser().absolute() if given else None


def _kept(workdir: Path | None) -> Path | None:
    """Returns the folder of a run that keeps the other run's config, if it does."""
    found = (workdir / name for name in (START, PRETRAINED)) if workdir else ()
    return next((folder for folder in found if (folder / CONFIG).exists()), None)


def _other(config: ConfigDict, workdir: Path | None) -> ConfigDict | None:
    """Reads the other run's config, from the new one's folder where it is kept there."""
    path, there = _path(config), _kept(workdir)
    if path is None:
        return None
    if there is not None:
        return read_config(there, need_checkpoint=False)
    if path.is_file() or (workdir is not None and (workdir / CONFIG).exists()):
        return None  # word vectors decide no fields
    return read_config(config.start.workdir, given_by=f"config.{_FIELD}")


def checkpoint(section: str, workdir: str, wanted: str) -> tuple[ConfigDict, Checkpoints, int]:
    """Finds a checkpoint of another run: that run's config, its checkpoints, and which of them.

    Args:
      section: of the config that names it by its fields `workdir` and `step`, for errors.
      workdir: the other run's folder.
      wanted: a number of a step, `newest` or `best`.

    Raises:
      ConfigError: there is no such run, or no such checkpoint of it.
    """
    other = read_config(workdir, given_by=f"config.{section}.workdir")
    path = Path(workdir).expanduser().absolute()
    checkpoints = Checkpoints(path / (BEST if wanted == "best" else CHECKPOINTS))
    steps = checkpoints.steps()
    if wanted == "newest" and steps:
        return other, checkpoints, steps[-1]
    if wanted == "best":
        found = best(path, other.best_metric, other.best_mode) if other.best_metric else None
        if found is None:
            message = f"{workdir} keeps no best checkpoint; must be a step, or newest"
            raise fail(f"{section}.step", wanted, message)
        return other, checkpoints, found.step
    if wanted.isdecimal() and int(wanted) in steps:
        return other, checkpoints, int(wanted)
    there = ", ".join(map(str, steps)) or "none"
    message = f"must be newest, best, or one of its steps: {there}"
    raise fail(f"{section}.step", wanted, message)


def _open(config: ConfigDict) -> _Source:
    """Finds the checkpoint that the section names."""
    other, checkpoints, step = checkpoint("start", config.start.workdir, config.start.step)
    spec = checkpoints.spec(step)
    members = _shape(spec.get("key", "[]"))
    newest = config.start.step == "newest"
    return _Source(checkpoints, step, newest, spec, members[0] if members else 0, other)


def _pairs(config: ConfigDict, executor: Executor, source: _Source) -> dict[str, str]:
    """Returns the leaves that are taken: names in the new state, and in the other one.

    Raises:
      ConfigError: some of them differ, or a pattern names nothing.
    """
    _check_member(config, executor, source)
    ours = leaves_of(executor.template())
    if config.start.what == "state":
        pairs = {name: name for name in ours if name != "key" and ".hyperparams." not in name}
        theirs = [n for n in source.spec if n != "key" and ".hyperparams." not in n]
        _check_networks_are_usual(config)
    else:
        pairs, theirs = _of_networks(config, ours, source.spec)
    shapes = {name: _own_shape(x, name, config, executor, source) for name, x in ours.items()}
    differ = [
        f"{_shown(name)} is {there} there and {shapes[name]} here"
        for name, from_ in pairs.items()
        if (there := _their_shape(source, from_, config)) != shapes[name]
    ]
    taken = set(pairs.values())
    differ += [
        f"{_shown(name)} is {_their_shape(source, name, config)} there and absent here"
        for name in theirs
        if name not in taken
    ]
    if differ:
        what = f"{len(differ)} leaves differ" if len(differ) > 1 else "a leaf differs"
        hint = "give fields as they are there"
        if config.start.what != "state":
            hint += ", or name in config.start.networks what is to be taken over"
        message = f"{what} from this config: {listed(differ, 12).replace(', ', '; ')}; {hint}"
        raise fail(_FIELD, config.start.workdir, message)
    return pairs


def _check_member(config: ConfigDict, executor: Executor, source: _Source) -> None:
    """Raises `ConfigError` unless the section says which member of a population is meant."""
    member, there, here = config.start.member, source.members, executor.num_members
    if not there and member > 0:
        raise fail("start.member", member, f"{config.start.workdir} is a single run; must be -1")
    if member >= there > 0:
        raise fail("start.member", member, f"must be below the number of members, {there}")
    if there and member < 0 and here != there:
        message = f"{config.start.workdir} is a population; must be one of 0 … {there - 1}"
        raise fail("start.member", member, message)


def _check_networks_are_usual(config: ConfigDict) -> None:
    usual = families.default_config(config.family).get("start", {}).get("networks", ())
    if config.start.networks not in ((), usual):
        message = "must be left out with start.what=state, which takes all"
        raise fail("start.networks", config.start.networks, message)


def _of_networks(
    config: ConfigDict, ours: Mapping[str, Any], spec: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Returns the leaves of networks that are taken, and the other run's leaves of the same parts.

    A leaf's address is its kind (`params`, or a collection of `variables`) and its path.
    """
    there = {_address(name): name for name in spec if name.startswith(("params.", "variables."))}
    here = {_address(name): name for name in ours if name.startswith(("params.", "variables."))}
    entries = config.start.networks or tuple(
        dict.fromkeys(path.partition("/")[0] for kind, path in here if kind == "params")
    )
    pairs: dict[str, str] = {}
    parts: list[str] = []
    for entry in entries:
        theirs, equals, mine = entry.rpartition("=")
        if equals and set("*?[") & set(entry):
            raise fail("start.networks", entry, "THEIRS=OURS names paths and has no patterns")
        old = theirs if equals else mine
        found = {a: name for a, name in here.items() if matches(mine, a[1])}
        whole = bool(equals) and not old
        if not any(kind == "params" for kind, _ in found):
            known = listed(path for kind, path in here if kind == "params")
            raise fail("start.networks", entry, f"names no parameters; there are {known}")
        for (kind, path), name in found.items():
            other = (kind, (old + path[len(mine) :]).lstrip("/") if equals else path)
            pairs[name] = there.get(other, _name(*other))
        olds = {path[len(mine) + 1 :].partition("/")[0] for _, path in found} if whole else {old}
        parts += [name for (_, path), name in there.items() if any(matches(o, path) for o in olds)]
    if config.start.what == "ema":
        averaged = {n: f"ema.{n.removeprefix('params.')}" for n in parts}
        averaged = {n: e for n, e in averaged.items() if e in spec}
        pairs = {name: averaged.get(n, n) for name, n in pairs.items()}
        parts = [averaged.get(n, n) for n in parts]
    averages = {f"ema.{n.removeprefix('params.')}": old for n, old in pairs.items()}
    return pairs | {n: old for n, old in averages.items() if n in ours}, parts


def _address(name: str) -> tuple[str, str]:
    kind, _, path = name.partition(".")
    if kind == "variables":
        network, *rest = path.split(".")
        if rest:  # otherwise a family's own, of no network
            return f"{kind}.{rest[0]}", "/".join([network, *rest[1:]])
    return kind, path.replace(".", "/")


def _name(kind: str, path: str) -> str:
    """Inverts `_address`."""
    kind, _, collection = kind.partition(".")
    network, slash, rest = path.partition("/")
    inside = f"{network}.{collection}" if collection else network
    return f"{kind}.{inside}{'.' * bool(slash)}{rest.replace('/', '.')}"


def _network(name: str) -> str:
    return name.split(".")[1]


def _shown(name: str) -> str:
    return name.removeprefix("params.").replace(".", "/")


def _shape(text: str) -> tuple[int, ...]:
    """Reads the shape of `float32[3,4]`."""
    inside = re.fullmatch(r".*\[([\d,]*)\]", text)
    return tuple(int(n) for n in inside[1].split(",") if n) if inside else ()


def _each(config: ConfigDict, source: _Source) -> bool:
    """Says whether each member begins with its like of another population."""
    return bool(source.members) and config.start.member < 0


def _own_shape(x: Any, name: str, config: ConfigDict, executor: Executor, source: _Source) -> str:
    """Describes a leaf of the new state, of one member unless each begins with its like."""
    many = bool(executor.num_members) and name != "step" and not _each(config, source)
    return describe(jax.ShapeDtypeStruct(x.shape[1:] if many else x.shape, x.dtype))


def _their_shape(source: _Source, name: str, config: ConfigDict) -> str:
    text = source.spec.get(name, "absent")
    if not source.members or _each(config, source) or name == "step" or text == "absent":
        return text
    shape = ",".join(map(str, _shape(text)[1:]))
    return f"{text.partition('[')[0]}[{shape}]"


def _read(
    config: ConfigDict, executor: Executor, source: _Source, pairs: Mapping[str, str]
) -> dict[str, Any]:
    """Reads the leaves that are taken, of one member where the other run is a population."""
    ours = leaves_of(executor.template())
    template: dict[str, jax.ShapeDtypeStruct] = {}
    for name, old in pairs.items():
        text, like = source.spec[old], ours[name]
        alike = _shape(text) == like.shape  # then each device reads its part alone
        sharding = like.sharding if alike else executor.whole
        dtype = np.dtype(text.partition("[")[0])
        template[old] = jax.ShapeDtypeStruct(_shape(text), dtype, sharding=sharding)
    if source.newest:
        found = source.checkpoints.restore(template, part=True)
        if found is None:
            raise fail(_FIELD, config.start.workdir, "has no complete checkpoint")
        if found[0] != source.step:
            raise fail(_FIELD, config.start.workdir, f"its checkpoint {source.step} is damaged")
        leaves = found[1]
    else:
        leaves = source.checkpoints.restore_step(template, source.step, part=True)
    source.checkpoints.close()
    k = config.start.member
    if source.members and k >= 0:
        one = jax.jit(lambda tree: {n: x if n == "step" else x[k] for n, x in tree.items()})
        leaves = one(leaves)
    return {name: leaves[old] for name, old in pairs.items()}
