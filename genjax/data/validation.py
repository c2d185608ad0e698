"""A part of the training split that is not trained on, to choose settings by."""

import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import fail
from genjax.data.in_memory import Resident
from genjax.data.shuffle import held_out
from genjax.data.source import Dataset


def hold_out(dataset: Dataset, data: ConfigDict) -> Dataset:
    """Moves `data.validation_fraction` of the training split to `Dataset.validation`.

    Which rows these are is fixed, whatever the seed; of labeled data that share of each class.

    Raises:
      ConfigError: neither images nor sentences, data that do not fit on the device, or nothing is
        left to train on.
    """
    fraction, train = data.validation_fraction, dataset.train
    if dataset.spec.kind not in ("image", "sentence") or not train.num_examples:
        message = f"is for images and sentences, not {data.name}"
        raise fail("data.validation_fraction", fraction, message)
    if not isinstance(train, Resident):
        raise fail(
            "data.validation_fraction",
            fraction,
            "needs the data on the device; raise data.device_limit_mb",
        )
    n = train.num_examples
    out = held_out(train.arrays.get("label", np.zeros(n, np.int32)), fraction)
    if out.all():
        raise fail("data.validation_fraction", fraction, f"leaves none of {n:,} to train on")
    return dataset._replace(train=train.part(~out), validation=train.part(out))
