"""From decoded splits on disk to a data set: on the device where they fit, streamed where not."""

from collections.abc import Sequence

from ml_collections import ConfigDict

from genjax.core.family import DataSpec
from genjax.data.cache import Entry, checksum
from genjax.data.resident import Resident
from genjax.data.source import Dataset, Source


def dataset(
    data: ConfigDict, train: Entry, test: Entry, num_classes: int, attributes: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> Dataset:  # fmt: skip
    """Images as a `Dataset`; a split of more than `data.device_limit_mb` MiB is streamed."""
    splits = _source(data, train), _source(data, test)
    shape = train.load(mmap=True)["x"].shape[1:]
    return Dataset(
        DataSpec("image", shape, num_classes), *splits, tuple(attributes), labels=tuple(labels),
        found={"checksum": checksum(train, test)},
    )  # fmt: skip


def _source(data: ConfigDict, split: Entry) -> Source:
    if split.nbytes() <= data.device_limit_mb * 2**20:
        return Resident(split.load(mmap=False))
    from genjax.data.streaming import Streamed

    return Streamed(split.load(mmap=True))
