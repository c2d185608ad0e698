"""Runs that learn from a teacher: another run, whose outputs stand beside the labels.

The section `teacher` of a config (`genjax.core.teaching`) names that run, of any family that
classifies or, of pairs, that predicts targets. Its tokenizer makes the tokens, and its outputs join
the training batches: logits, and the output of a layer for each pair of `teacher.features`. They
are computed in the step (`genjax.data.taught`), or once at the start: logits of classes with
`teacher.keep`, and the targets of pairs that `teacher.targets` wants (`genjax.engine.targets`).

The folder of the new run keeps which checkpoint taught it, with its checksum, so that a run that is
resumed has the same teacher; or the logits or targets, so that it needs none. A trained student
needs none.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from ml_collections import ConfigDict

from genjax import data, families
from genjax.core import files
from genjax.core.arrays import read_npz
from genjax.core.buckets import by_length, edges_of
from genjax.core.capabilities import Classifies, HasAttentionMaps, HasFeatures, PredictsTargets
from genjax.core.config import fail, of_texts
from genjax.core.family import Batch, DataSpec, Family, State
from genjax.core.fields import read
from genjax.core.teaching import (
    LOGITS,
    TargetTeacher,
    Teacher,
    TeacherFields,
    layer_name,
    map_name,
    no_layer,
)
from genjax.data.found import shorten
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset, Source
from genjax.data.taught import Taught, Teach, Translated, answers, joined
from genjax.engine import used
from genjax.engine.checkpoints import Checkpoints
from genjax.engine.layout import TEACHER, TEACHER_LOGITS, TEACHER_TARGETS
from genjax.engine.targets import Writer
from genjax.engine.workdir import read_config

_FIELD = "teacher.workdir"
_MATCHED = {  # field of the section: the method that shows such outputs, their name in a batch
    "features": ("features", layer_name),
    "attention": ("attention_maps", map_name),
}
# Of texts, fields that the teacher decides.
_READS = ("tokenizer", "lowercase", "length", "target_length", "shared_vocabulary")
_SAME = (  # of the data of both
    "kind", "shape", "num_classes", "vocab_size", "target_shape", "target_vocab_size",
)  # fmt: skip
_MOST_UNKNOWN = 0.5  # of the tokens of pairs that the teacher's vocabulary is to be that of


class Lesson(NamedTuple):
    """What a run learns from: its data, with a teacher's outputs where the config names one.

    Attributes:
      config: the run's, with what the teacher decides.
      dataset: whose training batches have the outputs.
      kept: what the run's folder keeps, by relative path.
      layers: shapes of what of the teacher's layers is matched, for an example, by its name in a
        batch.
    """

    config: ConfigDict
    dataset: Dataset
    kept: Mapping[str, bytes] = MappingProxyType({})
    layers: Mapping[str, tuple[int, ...]] = MappingProxyType({})


def adopt(config: ConfigDict, workdir: Path | None) -> ConfigDict:
    """Returns the config of a student that reads texts as its teacher does; itself without one.

    Raises:
      ConfigError: the teacher reads none, or a field is neither as there nor the family's default.
    """
    if not (_folder(config) and of_texts(config.data)):
        return config
    record = _record(workdir)
    if record is None:
        other = read_config(config.teacher.workdir, given_by=f"config.{_FIELD}")
        if not of_texts(other.data):
            raise fail(_FIELD, config.teacher.workdir, "reads no texts; must be a run that does")
        record = {"reads": {name: other.data[name] for name in _READS}}
    usual = families.default_config(config.family)
    result = config.copy_and_resolve_references().unlock()
    for name, value in record["reads"].items():
        if config.data[name] not in (value, usual.data[name]):
            message = f"is {value!r} in the run that config.{_FIELD} names; leave it out"
            raise fail(f"data.{name}", config.data[name], message)
        result.data[name] = value
    return result.lock()


def taught(config: ConfigDict) -> bool:
    """Says whether the config names a teacher."""
    return _folder(config) is not None


def tokenizer(config: ConfigDict) -> Path | None:
    """Returns the folder that keeps the teacher's tokenizer; None where no text has one."""
    folder = _folder(config)
    return folder / data.TOKENIZER if folder and of_texts(config.data) else None


def lesson(
    config: ConfigDict,
    dataset: Dataset,
    workdir: Path | None,
    prepare: Callable[..., Any],
    seeds: Sequence[int] | None = None,
) -> Lesson:
    """Joins the teacher's outputs to the training split; nothing where the config names none.

    Args:
      config: the resolved config.
      dataset: its data.
      workdir: the new run's folder, if it is there.
      prepare: `genjax.engine.run.prepare`, which opens the teacher.
      seeds: of the run's members, where the config does not tell them.

    Raises:
      ConfigError: there is no such run or checkpoint, it cannot teach these data, or it is another
        one than this run began with.
    """
    if not _folder(config):
        return Lesson(config, dataset)
    kind: type[TeacherFields] = TargetTeacher if "targets" in config.teacher else Teacher
    section: Any = read(kind, config, "teacher")
    section.check()
    taught = _from_folder(config, section, dataset, workdir)
    if taught is not None:
        return taught
    checkpoints, step, checksum = used.found("teacher", section, _record(workdir))
    teacher, params = _open(section, checkpoints, step, prepare)
    _check_data(section, teacher.dataset, dataset)
    logging.info("Learns from step %d of %s", step, section.workdir)
    reads = {n: config.data[n] for n in _READS if n in config.data}
    own = list(range(config.seed, config.seed + config.num_seeds)) if seeds is None else seeds
    taught_by = _seeds(section, teacher.executor, own)
    record = {"step": step, "checksum": checksum, "reads": reads, "seeds": taught_by}
    kept = {TEACHER: json.dumps(record).encode()}
    if isinstance(section, TargetTeacher):
        writer = Writer(section, dataset.spec, teacher.family, _state(params), checksum)
        train = _translated(section, dataset, writer)
        if section.weight:
            train = Taught(train, predicting(teacher.family, config), params)
        return Lesson(config, dataset._replace(train=train), kept)
    teach = asked(teacher.family, section)
    outputs = {}
    if not section.keep:
        outputs = jax.eval_shape(teach, params, {"x": _example(dataset.spec)})
    layers = {name: x.shape[1:] for name, x in outputs.items() if name != LOGITS}
    config = config.copy_and_resolve_references().unlock()
    widths = tuple(layers[layer_name(theirs)][-1] for theirs, _ in section.pairs())
    config.teacher.widths = widths
    config.lock()
    if not section.keep:
        train = Taught(dataset.train, teach, params)
        return Lesson(config, dataset._replace(train=train), kept, layers)
    logits = answers(_resident(dataset, "keep", True), teach, params, bool(taught_by))
    np.savez(content := io.BytesIO(), logits=logits)
    kept[TEACHER_LOGITS] = content.getvalue()
    return Lesson(config, _with_logits(dataset, logits, taught_by), kept, layers)


def check(found: Lesson, family: Family) -> None:
    """Raises `ConfigError` unless the student can learn from a teacher, and layers that match."""
    if not found.layers:
        return
    section = read(Teacher, found.config, "teacher")
    state = jax.eval_shape(family.init, jax.random.key(0))
    for field, (method, called) in _MATCHED.items():
        ours: Any = {}
        if section.pairs(field):
            ours = jax.eval_shape(getattr(family, method), state, _example(family.spec))
        for theirs, mine in section.pairs(field):
            there, here = found.layers[called(theirs)], ours[mine].shape[1:]
            same = there[1:] == here[1:] if field == "attention" else there[:-1] == here[:-1]
            if not same:
                message = f"{theirs} is {there} there and {mine} {here} here; places must agree"
                raise fail(f"teacher.{field}", getattr(section, field), message)


def _from_folder(
    config: ConfigDict, section: Any, dataset: Dataset, workdir: Path | None
) -> Lesson | None:
    """Returns the lesson that the run's folder has all of, if it has."""
    if workdir is None:
        return None
    if isinstance(section, TargetTeacher):
        if section.weight or not (workdir / TEACHER_TARGETS).exists():
            return None
        writer = Writer(section, dataset.spec)
        train = _translated(section, dataset, writer)
        return Lesson(config, dataset._replace(train=train))
    path = workdir / TEACHER_LOGITS
    if not (section.keep and path.exists()):
        return None
    found = read_npz(path, f"{path} (remove it to compute it again)")
    taught_by = (_record(workdir) or {}).get("seeds", [])
    return Lesson(config, _with_logits(dataset, found.get("logits", np.array(0)), taught_by))


def _folder(config: ConfigDict) -> Path | None:
    given = config.teacher.workdir if "teacher" in config else ""
    return Path(given).expanduser().absolute() if given else None


def _record(workdir: Path | None) -> dict[str, Any] | None:
    """Reads what the run's folder keeps of its teacher, if anything."""
    record = used.record(workdir, TEACHER, reads=dict, seeds=list)
    if workdir is None or record is None:
        return None
    with files.reading(workdir / TEACHER):
        if not record["reads"].keys() <= {*_READS}:
            raise ValueError(f"reads: must be of {', '.join(_READS)}")
    return record


def _open(
    section: TeacherFields, checkpoints: Checkpoints, step: int, prepare: Callable[..., Any]
) -> tuple[Any, Any]:
    """Opens the teacher: the run made concrete, and the parameters that it is used with."""
    able, does = (
        (PredictsTargets, "predicts no targets of sources")
        if isinstance(section, TargetTeacher)
        else (Classifies, "classifies nothing")
    )
    run, found = used.opened("teacher", section, checkpoints, step, prepare, able, does)
    members = run.executor.num_members
    if section.member >= max(members, 1):
        allowed = f"must be below the number of members, {members}" if members else "must be 0"
        raise fail("teacher.member", section.member, f"{allowed} in {section.workdir}")
    if members and section.member >= 0:
        found = jax.tree.map(lambda x: x[section.member], found)
    return run, found


def _seeds(section: TeacherFields, executor: Any, own: Sequence[int]) -> list[int]:
    """Returns the seeds of the teachers where each seed has its own; none where all share one."""
    if section.member >= 0:
        return []
    found = [int(seed) for seed in getattr(executor, "seeds", ())]
    if missing := [seed for seed in own if seed not in found]:
        there = f"with seeds {shorten(found)}" if found else "but a single run"
        message = f"{section.workdir} is no population with seed {missing[0]}, {there}"
        raise fail("teacher.member", section.member, message)
    return found


def predicting(family: Any, config: ConfigDict) -> Teach:
    """Returns the function that asks the teacher about the tokens of targets.

    It computes them on as many places as the student of `config` does.
    """
    edges = edges_of(config)

    def teach(params: Any, batch: Batch) -> dict[str, jax.Array]:
        state, x_BxS, y_BxU = _state(params), batch["x"], batch["y"]

        def ask(x: jax.Array, y: jax.Array) -> jax.Array:
            logits = jnp.asarray(family.predict_targets(state, x, y), jnp.float32)
            return jnp.pad(logits, ((0, 0), (0, y_BxU.shape[1] - y.shape[1]), (0, 0)))

        return {LOGITS: by_length(ask, x_BxS, y_BxU, edges=edges)}

    return teach


def asked(family: Any, section: Teacher) -> Teach:
    """Returns the function that asks the teacher about examples."""
    for field, protocol in (("features", HasFeatures), ("attention", HasAttentionMaps)):
        if section.pairs(field) and not isinstance(family, protocol):
            message = f"a teacher of its family shows no {field}; must be ()"
            raise fail(f"teacher.{field}", getattr(section, field), message)

    def teach(params: Any, batch: Batch) -> dict[str, jax.Array]:
        state, x = _state(params), batch["x"]
        # log p is as good as logits, of which it is a shift, at any temperature.
        p = jnp.asarray(family.classify(state, x), jnp.float32)
        outputs = {LOGITS: jnp.log(jnp.maximum(p, jnp.finfo(p.dtype).tiny))}
        for field, (method, called) in _MATCHED.items():
            layers = getattr(family, method)(state, x) if section.pairs(field) else {}
            for theirs, _ in section.pairs(field):
                if theirs not in layers:
                    value = getattr(section, field)
                    raise no_layer(field, value, theirs, layers, "the teacher")
                outputs[called(theirs)] = layers[theirs]
        return outputs

    return teach


def _state(params: Any) -> State:
    """Makes a state to use a teacher with, of what was read of its checkpoint."""
    zero = jnp.zeros((), jnp.int32)
    return State(step=zero, key=jax.random.key(0), opt_state={}, **params)


def _example(spec: DataSpec) -> jax.ShapeDtypeStruct:
    dtype = jnp.float32 if spec.kind in ("image", "point") else jnp.int32
    return jax.ShapeDtypeStruct((1, *spec.shape), dtype)


def _check_data(section: TeacherFields, theirs: Dataset, ours: Dataset) -> None:
    """Raises `ConfigError` unless the teacher knows examples and classes as these are."""
    differ = [
        f"{name} {getattr(theirs.spec, name)} there, {getattr(ours.spec, name)} here"
        for name in _SAME
        if getattr(theirs.spec, name) != getattr(ours.spec, name)
    ]
    if theirs.labels != ours.labels:
        differ.append(f"classes {shorten(theirs.labels, 4)} there, {shorten(ours.labels, 4)} here")
    for name, what in (("codec", "texts"), ("target_codec", "targets")):
        codecs = [getattr(of, name) for of in (theirs, ours)]
        if None not in codecs and codecs[0].to_json() != codecs[1].to_json():
            differ.append(f"the tokens of {what}")
    if differ:
        raise fail(_FIELD, section.workdir, f"was trained on other data: {'; '.join(differ)}")
    unknown = ours.found.get("unknown", {}).get("train", 0.0)
    if ours.spec.kind == "pair" and unknown > _MOST_UNKNOWN:
        message = f"has another vocabulary: {unknown:.0%} of the tokens here are unknown to it"
        raise fail(_FIELD, section.workdir, message)


def _resident(dataset: Dataset, field: str, value: Any) -> Resident:
    if not isinstance(dataset.train, Resident):
        message = "needs the data on the device; raise data.device_limit_mb, or must be"
        raise fail(f"teacher.{field}", value, f"{message} {type(value)(0)}")
    return dataset.train


def _translated(section: TargetTeacher, dataset: Dataset, writer: Writer) -> Source:
    """Returns the training split with targets that the teacher writes, if it is to write any."""
    if not section.targets:
        return dataset.train
    return Translated(_resident(dataset, "targets", section.targets), writer, section.targets)


def _with_logits(dataset: Dataset, logits: np.ndarray, seeds: Sequence[int]) -> Dataset:
    train, several = _resident(dataset, "keep", True), (len(seeds),) if seeds else ()
    if logits.shape != (train.num_examples, *several, dataset.spec.num_classes):
        message = f"kept logits are {logits.shape}, and not of these data; begin another run"
        raise fail("teacher.keep", True, message)
    return dataset._replace(train=joined(train, logits.astype(np.float32), seeds))
