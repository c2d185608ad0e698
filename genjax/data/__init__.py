"""Data sets by name."""

from ml_collections import ConfigDict

from genjax.core.config import fail
from genjax.data.source import Dataset


def load(data: ConfigDict) -> Dataset:
    """The data set that a config's `data` section names.

    `digits`: bundled 8x8 digits. `ring`, `grid`: two-dimensional mixtures drawn on the device.
    `tfds:NAME[/CONFIG][:VERSION]`: a TFDS data set. `images:DIR`: a folder of images.

    Raises:
      ConfigError: unknown name, missing or unreadable data, or a setting that the data cannot meet.
    """
    kind, colon, rest = data.name.partition(":")
    # One import each, when needed: the start of a run pays only for what it uses.
    if data.name == "digits":
        from genjax.data import digits

        return digits.load(data)
    if data.name in ("ring", "grid"):
        from genjax.data import toy

        return toy.load(data.name)
    if colon and rest and kind == "tfds":
        from genjax.data import tfds

        return tfds.load(data)
    if colon and rest and kind == "images":
        from genjax.data import images

        return images.load(data)
    raise fail("data.name", data.name, "must be digits, ring, grid, tfds:NAME or images:DIR")
