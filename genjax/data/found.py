"""One line that says what the data are, and one for each thing in them that is probably a mistake.

Nothing here stops a run: what cannot be trained on is refused where it is read.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from genjax.core.family import DataSpec
from genjax.core.tokens import PAD
from genjax.data.source import Dataset, Source

_SHOWN = 10  # class names in the line
_SEEN = 2000  # pictures that are looked at
_DARK = 16 / 255  # of white; all but a thousandth of a nearly black set's values lie below it
_QUOTES = "\"'`´“”„‘’‚«»"


def line(dataset: Dataset, name: str) -> str:
    """Says what was found, in one line.

    Kind and shape of the examples, their number in each split and where the splits come from, the
    classes, and what `Dataset.found` tells of files and tokens; `name` is `config.data.name`.
    """
    found = dataset.found
    sizes = [
        f"{source.num_examples:,} {split}" if source.num_examples else f"endless {split}"
        for split, source in (("training", dataset.train), ("test", dataset.test))
    ]
    if dataset.validation is not None:
        sizes.insert(1, f"{dataset.validation.num_examples:,} validation")
    parts = [f"{name}: {' and '.join(sizes)} examples, {_kind(dataset.spec)}"]
    if dataset.spec.num_classes:
        what = "tags" if dataset.spec.kind == "tagged" else "classes"
        parts.append(f"{dataset.spec.num_classes} {what}{_named(dataset.labels)}")
    if "source" in found:
        parts.append(str(found["source"]))
    for key, message in (("left_alone", "left alone"), ("skipped", "skipped")):
        if found.get(key, {}).get("count"):
            first = "; ".join(found[key].get("first", ()))
            n = found[key]["count"]
            files = "1 file" if n == 1 else f"{n:,} files"
            parts.append(f"{files} {message}" + (f" ({first})" if first else ""))
    for split, cut in found.get("cut", {}).items():
        if cut["count"]:
            lost = f", which costs {cut['entities']:,} entities" if cut.get("entities") else ""
            parts.append(
                f"{cut['count']:,} of {cut['of']:,} {cut.get('what', 'examples')} of the {split} "
                f"split cut at data.length{lost}"
            )
    unknown = {split: share for split, share in found.get("unknown", {}).items() if share}
    if unknown:
        shares = ", ".join(f"{share:.2%} ({split})" for split, share in unknown.items())
        parts.append(f"unknown tokens {shares}")
    return "; ".join(parts)


def warnings(dataset: Dataset) -> list[str]:
    """Lists what is probably a mistake in the data: `Dataset.warnings` and general ones.

    General are classes that a split lacks, names of classes that differ only in case, quotes, white
    space or the spelling of numbers, and pictures that are all one or nearly black.
    """
    return [
        *dataset.warnings,
        *_missing(dataset),
        *_alike(dataset.labels),
        *(_dull(dataset.train) if dataset.spec.kind == "image" else ()),
    ]


def shorten(names: Sequence[Any], most: int = _SHOWN) -> str:
    """Joins `names` by commas; of more than `most` the first ones and their number."""
    names = [str(n) if len(str(n)) <= 40 else f"{str(n)[:39]}…" for n in names]
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])}, … ({len(names):,} in all)"


def _kind(spec: DataSpec) -> str:
    size = "x".join(map(str, spec.shape))
    length = spec.shape[0] if spec.shape else 0
    if spec.kind == "image":
        return f"images {size}"
    if spec.kind == "point":
        return f"points in R^{size}"
    words = {
        "text": f"windows of {length - 1} tokens",  # each is predicted from those before it
        "passage": f"passages of {length} tokens",
        "sentence": f"sentences of at most {length} tokens",
        "pair": f"pairs of sentences of at most {length} tokens",
        "tagged": f"tagged sentences of at most {length} words",
    }
    vocabulary = f", vocabulary of {spec.vocab_size:,}" if spec.vocab_size else ""
    if spec.target_vocab_size:
        vocabulary += f" and {spec.target_vocab_size:,}"
    return words.get(spec.kind, f"{spec.kind} {size}") + vocabulary


def _named(labels: Sequence[str]) -> str:
    return f" ({shorten(labels)})" if labels else ""


def _rows(source: Source) -> Mapping[str, Any]:
    """Returns the arrays of a split on the host; none where examples are drawn."""
    arrays = getattr(source, "rows", None) or source.arrays
    return arrays.get("all", arrays)


def _missing(dataset: Dataset) -> list[str]:
    """Warns of each split that has no example of some class."""
    found = []
    names = dataset.labels or [str(i) for i in range(dataset.spec.num_classes)]
    for split, source in (("training", dataset.train), ("test", dataset.test)):
        rows = _rows(source)
        if not dataset.spec.num_classes or "label" not in rows or not source.num_examples:
            continue
        label = np.asarray(rows["label"])
        if dataset.spec.kind == "tagged":
            label = label[np.asarray(rows["x"]) != PAD]
        label = label[label >= 0]  # some splits are without labels
        counts = np.bincount(label.reshape(-1), minlength=dataset.spec.num_classes)
        absent = [names[i] for i in np.flatnonzero(counts[: dataset.spec.num_classes] == 0)]
        if absent:
            what = "tag" if dataset.spec.kind == "tagged" else "class"
            found.append(f"the {split} split has no example of {what} {shorten(absent)}")
    return found


def _alike(labels: Sequence[str]) -> list[str]:
    """Warns where names are spellings of one name."""
    groups: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        groups[_canonical(label)].append(label)
    twins = [" and ".join(map(repr, same)) for same in groups.values() if len(same) > 1]
    if not twins:
        return []
    return [f"classes that are spelled almost alike are different classes: {shorten(twins, 5)}"]


def _canonical(label: str) -> str:
    """Drops from a label what people do not mean: case, quotes, white space, forms of numbers."""
    text = unicodedata.normalize("NFKC", label).casefold()
    text = " ".join(text.translate(dict.fromkeys(map(ord, _QUOTES))).split())
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text):
        return repr(float(text))
    return text


def _dull(source: Source) -> list[str]:
    """Warns where pictures are all the same, each of one color, or nearly black."""
    x = _rows(source).get("x")
    if x is None or len(x) < 2:
        return []
    x = np.asarray(x[:: max(1, len(x) // _SEEN)])
    white = source.levels if x.dtype == np.uint8 else 1
    if (x == x[:1]).all():
        return ["all training pictures are the same"]
    flat = x.reshape(len(x), -1, x.shape[-1])
    if flat.shape[1] > 1 and (flat == flat[:, :1]).all():
        return ["each training picture is of one color"]
    if np.quantile(x, 0.999) <= _DARK * white:
        return [
            f"the training pictures are nearly black: 99.9 % of their values are at most "
            f"{np.quantile(x, 0.999) / white:.3g} of white"
        ]
    return []
