"""Data sets by name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from genjax.core.config import fail, of_texts
from genjax.data.source import Dataset

TOKENIZER = "tokenizer"  # the folder of a workdir that keeps what turned its texts into tokens

_WITH_TEST = ("text", "tsv", "pairs", "conll", "tfds")  # of data.name, for data.test


def load(
    data: ConfigDict,
    saved: Path | None = None,
    other: Path | None = None,
    arrays: Mapping[str, Any] | None = None,
) -> Dataset:
    """Loads the data set that a config's `data` section names.

    `digits`: bundled 8x8 digits. `ring`, `grid`: two-dimensional mixtures drawn on the device.
    `stacked_digits`: three digits as the channels of an image, 1,000 modes.
    `tfds:NAME[/CONFIG][:VERSION]`: a TFDS data set. `images:DIR`: a folder of images.
    `npz:FILE`, or `arrays` in memory: see `genjax.data.arrays`.

    Of text, see `genjax.data.text.loading`: `python_docs`, bundled; `reverse`, drawn pairs;
    `text:FILE`, `tsv:FILE`, `pairs:SRC,TGT`, `conll:FILE`; `tfds:NAME` for families of text.

    `data.validation_fraction` holds a part of the training split of images or sentences out, to
    choose by.
    Families that learn from few labels declare `data.num_labeled`, those that learn from labels
    alone `data.leave_out` as well, see `genjax.data.labeled`; those that learn tasks one after the
    other `data.protocol`, see `genjax.data.tasks`; those that learn several at once `data.tasks`,
    see `genjax.data.multitask`.

    Args:
      data: the section.
      saved: a folder that `save` wrote: texts become the tokens that they were then.
      other: such a folder of another run, whose tokenizer counts where nothing is saved.
      arrays: those in memory that `data.name=arrays` means.

    Raises:
      ConfigError: unknown name, missing or unreadable data, or a setting that the data cannot meet.
    """
    if data.get("split_by", "") and not data.name.startswith("images:"):
        raise fail("data.split_by", data.split_by, f"is for images:DIR, not {data.name}")
    form = data.name.partition(":")[0]
    if data.get("test", "") and not (form in _WITH_TEST and of_texts(data)):
        message = f"is for texts of {', '.join(_WITH_TEST)}, not {data.name}"
        raise fail("data.test", data.test, message)
    if data.get("max_value", 0) and (form not in ("images", "tfds") or of_texts(data)):
        raise fail("data.max_value", data.max_value, f"is for pictures of files, not {data.name}")
    dataset = _named(data, saved, other, arrays)
    if "checksum" not in dataset.found:  # bundled or drawn
        from genjax.data.cache import checksum_of_arrays

        checksum = checksum_of_arrays(dataset.train.arrays, dataset.test.arrays)
        dataset = dataset._replace(found={**dataset.found, "checksum": checksum})
    if data.get("validation_fraction", 0.0) and dataset.validation is None:
        from genjax.data import validation

        dataset = validation.hold_out(dataset, data)
    if data.get("protocol", ""):
        from genjax.data import tasks

        return tasks.arrange(dataset, data)
    if "tasks" in data:
        from genjax.data import multitask

        return multitask.arrange(dataset, data)
    if not (data.get("num_labeled", 0) or data.get("leave_out", "")):
        return dataset
    from genjax.data import labeled

    return (labeled.choose if "leave_out" in data else labeled.limit)(dataset, data)


def recorded(
    data: ConfigDict,
    record: Mapping[str, Any],
    saved: Path,
    other: Path | None = None,
    arrays: Mapping[str, Any] | None = None,
) -> Dataset:
    """Makes the data set that a run recorded, whose splits are read at first use.

    Args:
      data: the section of the run's config.
      record: what `genjax.data.record.of` made of the data set.
      saved, other, arrays: as `load` takes them.

    Raises:
      ConfigError: the record or what is saved cannot be read. At first use of a split `DataMissing`
        where the data are gone, `ConfigError` where they have other shapes or names.
    """
    from genjax.data import record as records
    from genjax.data.text import vocabulary

    words = vocabulary.load(saved, record.get("spec", {}).get("kind", ""))
    name = f"config.data.name={data.name!r}"
    return records.dataset(record, words, lambda: load(data, saved, other, arrays), name)


def save(dataset: Dataset, folder: Path) -> None:
    """Keeps in `folder`, once, what turned texts into tokens; nothing of other data."""
    if dataset.codec is not None:
        from genjax.data.text import vocabulary

        if not (folder / vocabulary.FILE).exists():
            vocabulary.write(vocabulary.of(dataset), dataset.spec.kind, folder)


def _named(
    data: ConfigDict, saved: Path | None, other: Path | None, given: Mapping[str, Any] | None
) -> Dataset:
    kind, colon, rest = data.name.partition(":")
    # One import each, when needed: the start of a run pays only for what it uses.
    if data.name == "digits":
        from genjax.data.image import digits

        return digits.load(data)
    if data.name == "stacked_digits":
        from genjax.data.image import stacked_digits

        return stacked_digits.load(data)
    if data.name in ("ring", "grid"):
        from genjax.data.toy import mixtures

        return mixtures.load(data.name)
    if data.name == "reverse":
        from genjax.data.toy import reverse

        return reverse.load()
    named = data.name == "python_docs" or (kind in ("text", "tsv", "pairs", "conll") and rest)
    if named or (kind == "tfds" and rest and of_texts(data)):
        from genjax.data.text import loading

        return loading.load(data, saved, other)
    if colon and rest and kind == "tfds":
        from genjax.data import tfds

        return tfds.load(data)
    if colon and rest and kind == "images":
        from genjax.data.image import images

        return images.load(data)
    if data.name == "arrays" or (kind == "npz" and rest):
        from genjax.data import arrays

        return arrays.load(data, given)
    names = "digits, ring, grid, stacked_digits, tfds:NAME, images:DIR, npz:FILE"
    texts = "python_docs, reverse, text:FILE, tsv:FILE, pairs:SRC,TGT, conll:FILE"
    raise fail("data.name", data.name, f"must be {names}, or of texts {texts}")
