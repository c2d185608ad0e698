"""Samples against a real set by any extractor's features: FID, KID, MIND, Inception score, PRDC.

Every number holds for one protocol only: so many samples, this split, this extractor with these
weights and this resize. `protocol` says it in words, and stands wherever the number stands.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from genjax.core.config import ConfigError
from genjax.data.source import Source, rows
from genjax.evaluation import stored_arrays
from genjax.evaluation.image.extractors import Extracted, Extractor, checksum_of
from genjax.evaluation.image.fid import Moments, frechet_distance
from genjax.evaluation.image.inception_score import inception_score
from genjax.evaluation.image.kid import kernel_distance
from genjax.evaluation.image.mind import PROJECTIONS, monge_distance
from genjax.evaluation.image.prdc import prdc

NEIGHBOR = 5  # k of prdc
_SUBSET = 1000  # features in a subset of kid, where there are as many
_KEPT = 10_000  # features of a real set that kid, mind and prdc compare with
_KEPT_SEED = 0
# The numbers that each metric gives.
NUMBERS = {
    "fid": ("fid",),
    "kid": ("kid", "kid_std"),
    "mind": ("mind",),
    "is": ("inception_score", "inception_score_std"),
    "prdc": ("precision", "recall", "density", "coverage"),
}
_LEAST = {"fid": 2, "kid": 2, "mind": 2, "is": 10, "prdc": NEIGHBOR + 1}  # samples


class Reference(NamedTuple):
    """What is kept of a real set.

    Attributes:
      split: its name.
      moments: of the features of all its images.
      features: (N, D) float32, of a fixed random choice of at most 10,000 of them.
    """

    split: str
    moments: Moments
    features: np.ndarray


def parse(text: str, field: str) -> tuple[str, ...]:
    """Reads `"fid,kid"` as the names of metrics; `field` is what the user named it by."""
    names = tuple(name.strip() for name in text.split(",")) if text.strip() else ()
    for name in names:
        if name not in NUMBERS:
            raise ConfigError(f"{field}={text}: no metric {name!r}; must be of {','.join(NUMBERS)}")
    return names


def numbers(metrics: Sequence[str]) -> tuple[str, ...]:
    """Returns the names of the numbers that `metrics` give."""
    return tuple(name for metric in metrics for name in NUMBERS[metric])


def check_counts(metrics: Sequence[str], num_samples: int, num_real: int, field: str) -> None:
    """Raises `ConfigError` unless there are enough samples and real images for `metrics`."""
    for metric in metrics:
        least = _LEAST[metric]
        if num_samples < least:
            raise ConfigError(f"{field}={num_samples}: {metric} needs at least {least} samples")
        if metric != "is" and num_real < least:
            raise ConfigError(f"{num_real} real images: {metric} needs at least {least}")


def enough(metrics: Sequence[str], num_samples: int) -> bool:
    """Says whether there are enough samples for all of `metrics`."""
    return all(num_samples >= _LEAST[metric] for metric in metrics)


def reference(
    extractor: Extractor, source: Source, name: str, split: str, folder: Path
) -> Reference:
    """Extracts the real set of a split, once, and keeps it below `folder`.

    `name`, of the data set, and `split` name the entry; its content decides which one it is.
    """
    identity = {
        "name": f"{name}-{extractor.name}", "split": split, "data": _content(source),
        "weights": extractor.checksum, "resize": extractor.resize, "kept": [_KEPT, _KEPT_SEED],
    }  # fmt: skip
    found = stored_arrays.arrays(folder, identity, lambda: _statistics(extractor, source))
    moments = Moments(int(found["n"]), found["mean"], found["scatter"])
    return Reference(split, moments, found["features"])


def nothing(split: str) -> Reference:
    """Returns the reference of an empty real set, for metrics of samples alone."""
    empty = np.zeros((0, 0), np.float32)
    return Reference(split, Moments(0, np.zeros(0), empty), empty)


def _statistics(extractor: Extractor, source: Source) -> stored_arrays.Arrays:
    order = np.random.RandomState(_KEPT_SEED).permutation(source.num_examples)
    kept = np.zeros(source.num_examples, bool)
    kept[order[:_KEPT]] = True
    moments: Moments | None = None
    features, seen = [], 0
    for batch in rows(source, 1000):
        extracted = extractor.extract(batch["x"]).features
        part = Moments.of(extracted)
        moments = part if moments is None else moments.joined(part)
        features.append(extracted[kept[seen : seen + len(extracted)]])
        seen += len(extracted)
    assert moments is not None
    return {
        "n": np.asarray(moments.n),
        "mean": moments.mean,
        "scatter": moments.scatter,
        "features": np.concatenate(features),
    }


def _content(source: Source) -> str:
    """Returns a checksum of a split's images, in order."""
    parts = [checksum_of(batch["x"]) for batch in rows(source, 1000)]
    return checksum_of(np.frombuffer("".join(parts).encode(), np.uint8))


def scores(metrics: Sequence[str], samples: Extracted, real: Reference) -> dict[str, float]:
    """Computes the numbers of `metrics`, under the names of `NUMBERS`."""
    return {name: value for m in metrics for name, value in _METRICS[m](samples, real).items()}


def _kid(samples: Extracted, real: Reference) -> dict[str, float]:
    size = subset_size(len(samples.features), len(real.features))
    return kernel_distance(real.features, samples.features, subset_size=size)


def subset_size(num_samples: int, num_real: int) -> int:
    """Returns that of KID: 1,000, or all where there are fewer."""
    return min(_SUBSET, num_samples, num_real)


_METRICS: dict[str, Callable[[Extracted, Reference], dict[str, float]]] = {
    "fid": lambda s, r: {"fid": frechet_distance(Moments.of(s.features), r.moments)},
    "kid": _kid,
    "mind": lambda s, r: {"mind": monge_distance(r.features, s.features)},
    "is": lambda s, r: inception_score(s.probabilities),
    "prdc": lambda s, r: prdc(r.features, s.features, k=NEIGHBOR),
}


def protocol(number: str, num_samples: int, real: Reference, extractor: Extractor) -> str:
    """Says what a number of `scores` holds for."""
    metric = next(m for m, names in NUMBERS.items() if number in names)
    words = [f"{num_samples:,} samples"]
    if metric != "is":
        count = real.moments.n if metric == "fid" else len(real.features)
        words.append(f"{count:,} {real.split} images")
    if metric == "kid":
        words.append(f"subsets of {subset_size(num_samples, len(real.features)):,}")
    if metric == "mind":
        each = min(num_samples, len(real.features))
        words.append(f"{PROJECTIONS:,} projections of {each:,} each")
    if metric == "prdc":
        words.append(f"k={NEIGHBOR}")
    return ", ".join([*words, str(extractor)])
