"""Stacked digits: a thousand modes that a classifier can count, for studies of mode collapse.

An example is three of the bundled 8x8 digits, drawn independently of each other, as the channels of
one image. Stacked MNIST (Metz et al. 2017, "Unrolled generative adversarial networks", section
3.3; Lin et al. 2018, "PacGAN", section 4.2) with the digits that ship with scikit-learn.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from genjax.core.config import fail
from genjax.core.family import Batch, DataSpec
from genjax.data import order
from genjax.data.image import digits
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset
from genjax.data.toy.mixtures import Generated

CHANNELS, CLASSES = 3, 10
NUM_MODES = CLASSES**CHANNELS
_TEST_EXAMPLES = 10_000


def load(data: ConfigDict) -> Dataset:
    """Makes an endless train split of training digits, and 10,000 fixed draws of held-out ones.

    x float32 (8, 8, 3), or of `data.image_size`, in [0, 1]; the label 0 … 999 is the mode, whose
    decimal digits are those of the channels in order. Modes are equally likely but for the digits'
    own frequencies: the KL divergence of the train split's modes from the uniform is 0.0003 nats.

    Raises:
      ConfigError: `data.channels` is 1.
    """
    one: Any = single(data)  # its splits are resident
    rows = np.random.RandomState(0).randint(one.test.num_examples, size=(_TEST_EXAMPLES, CHANNELS))
    x, label = one.test.arrays["x"][rows], one.test.arrays["label"][rows]
    held_out = {"x": np.moveaxis(x[..., 0], 1, -1), "label": mode(label).astype(np.int32)}
    spec = DataSpec("image", (*one.spec.shape[:2], CHANNELS), NUM_MODES)
    return Dataset(
        spec,
        Stacked(one.train),
        Resident(held_out, one.test.levels),
        labels=tuple(f"{i:03}" for i in range(NUM_MODES)),
        found={"source": f"{_TEST_EXAMPLES:,} fixed draws of held-out digits are the test split"},
    )


def single(data: ConfigDict) -> Dataset:
    """Loads the digits that are stacked, in gray."""
    if data.channels == 1:
        raise fail("data.channels", data.channels, "must be 0 or 3, one for each digit")
    return digits.load(ConfigDict(data.to_dict() | {"channels": 1}))


def mode(label: Any) -> Any:
    """Returns the modes (…) of the classes (…, 3) of the channels."""
    return (label * CLASSES ** np.arange(CHANNELS)[::-1]).sum(-1)


class Stacked(Generated):
    """Draws rows of the digits, in step i from `fold_in(key, i)`.

    Only rows are planned; pictures are put together step by step, so a chunk stays small.
    """

    def __init__(self, of: Resident):
        def rows(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
            words = jax.random.bits(key, (CHANNELS * order.size(shape),))
            # The remainder favors a row by at most 1 in 2 million.
            return (words % np.uint32(of.num_examples)).astype(jnp.int32).reshape(*shape, CHANNELS)

        super().__init__(rows)
        self.of, self.arrays, self.levels = of, of.arrays, of.levels

    def fetch(self, arrays: Any, x: Any) -> Batch:
        """Makes the batch of the planned rows."""
        batch = self.of.fetch(arrays, x["x"])
        return {"x": jnp.moveaxis(batch["x"][..., 0], -3, -1), "label": mode(batch["label"])}
