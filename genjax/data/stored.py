"""From decoded splits on disk to a data set: on the device where they fit, streamed where not."""

import dataclasses
import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import fail
from genjax.core.family import DataSpec
from genjax.data import cache
from genjax.data.cache import Entry, checksum
from genjax.data.image import pictures
from genjax.data.image.pictures import Facts, other_shape, short_path, some
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset, Source


def dataset(
    data: ConfigDict,
    train: Entry,
    test: Entry,
    validation: Entry | None = None,
    *,
    num_classes: int = 0,
    attributes: Sequence[str] = (),
    labels: Sequence[str] = (),
    found: Mapping[str, Any] | None = None,
    warnings: Sequence[str] = (),
    bad: Sequence[Sequence[str]] = (),
) -> Dataset:
    """Makes a `Dataset` of images; a split of more than `data.device_limit_mb` MiB is streamed.

    Args:
      data: the config's section.
      train, test, validation: decoded splits, whose `info` is `genjax.data.image.pictures.Facts`.
      num_classes, attributes, labels: as in `Dataset` and its spec.
      found, warnings: what reading found besides decoding.
      bad: names and reasons of what could not even be read.

    Raises:
      ConfigError: unreadable pictures and `data.on_bad=stop`, or a split that is left with none, or
        splits of different shape.
    """
    splits = {"training": train, "test": test} | ({"validation": validation} if validation else {})
    facts = [Facts(**e.info) for e in splits.values()]
    message = dict(found or {})
    all_bad = [*bad, *(b for f in facts for b in f.first_bad)]
    count = len(bad) + sum(f.bad for f in facts)
    total = count + sum(f.count for f in facts)
    empty = [name for name, f in zip(splits, facts) if not f.count]
    if count and (empty or data.on_bad == "stop"):
        end = "; config.data.on_bad=skip leaves them out"
        if data.on_bad == "skip":
            end = f"; no {' and no '.join(empty)} picture is left"
        raise fail(
            "data.name",
            data.name,
            f"{count:,} of {total:,} pictures cannot be read: "
            f"{some(all_bad, room=190 - len(data.name))}{end}",
        )
    shapes = [e.load(mmap=True)["x"].shape[1:] for e in splits.values()]
    for shape, fact in zip(shapes[1:], facts[1:]):
        if shape != shapes[0]:
            raise other_shape(fact.named, shape, facts[0].named, shapes[0])
    if count:
        first = [f"{short_path(name)} ({reason})" for name, reason in all_bad[:3]]
        message["skipped"] = {"count": count, "first": first}
    message["checksum"] = checksum(*splits.values())
    lines = [*warnings, *_warnings(facts)]
    for name, entry in splits.items():
        label = entry.load(mmap=True).get("label", np.zeros(0, np.int32))
        if outside := int(((label < 0) | (label >= max(num_classes, 1))).sum()):
            lines.append(
                f"{outside:,} labels of the {name} split are none of 0 … {num_classes - 1}, as "
                f"{label.min()}: its examples are probably unlabeled"
            )
    return Dataset(
        DataSpec("image", shapes[0], num_classes),
        split(data, train),
        split(data, test),
        tuple(attributes),
        labels=tuple(labels),
        found=message,
        warnings=tuple(lines),
        validation=split(data, validation) if validation else None,
    )


def _warnings(facts: Sequence[Facts]) -> list[str]:
    """Lists what is probably not as the pictures' owner thinks."""
    lines = []
    if moving := sum(f.moving for f in facts):
        lines.append(f"of pictures with several frames ({moving:,}) the first frame is taken")
    if dark := sum(f.dark for f in facts):
        name = next(f.first_dark for f in facts if f.first_dark)
        lines.append(
            f"pictures of more than 8 bits that are all but black: {dark:,}, as {short_path(name)}"
            "; is their white another one (config.data.max_value)?"
        )
    return lines


def split(data: ConfigDict, entry: Entry, levels: int = 255, order: Any = None) -> Source:
    """Puts a split on the device, or streams it if it has more than `data.device_limit_mb` MiB."""
    if entry.nbytes() <= data.device_limit_mb * 2**20:
        return Resident(entry.load(mmap=False), levels, order)
    from genjax.data.streaming import Streamed

    return Streamed(entry.load(mmap=True), levels, order)


def decoded(
    data: ConfigDict,
    identity: dict[str, Any],
    count: int,
    reader: Callable[[], Any],
    what: str,
    within: str = "",
) -> Entry:
    """Decodes a split of pictures into the cache.

    Args:
      data: the config's section.
      identity: of the encoded pictures, see `genjax.data.cache.entry`.
      count, within: see `pictures.decode_blocks`.
      reader: makes its `read`, where something must be decoded.
      what: names the split in the progress line.
    """
    shape = data.image_size, data.channels, data.max_value
    decoder = f"pillow {importlib.metadata.version('pillow')}, rules {pictures.RULES}"
    names = ("size", "channels", "max_value", "decoder")
    identity = identity | dict(zip(names, (*shape, decoder)))

    def build(to: Path) -> dict[str, Any]:
        facts = Facts()
        blocks = pictures.decode_blocks(count, reader(), *shape, facts, within)
        cache.write_rows(to, count, blocks, f"decoding {what}", lambda: facts.bad)
        return dataclasses.asdict(facts)

    return cache.entry(cache.root(data.cache_dir), identity, build)
