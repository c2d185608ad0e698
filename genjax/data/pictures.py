"""Pictures as every image source stores them: decoded by Pillow, fitted, in parallel."""

import collections
import io
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from genjax.core.config import ConfigError
from genjax.data.cache import Rows

_BLOCK = 512  # pictures decoded by one task


def fit(image: Any, size: int, channels: int) -> np.ndarray:
    """A Pillow image as uint8 (height, width, channels), values 0 … 255.

    Args:
      image: `PIL.Image.Image` of any mode; 16-bit grey is brought to 8 bits, transparency dropped.
      size: side of the square: the shorter side is resized to it (Lanczos, which smooths
        when it shrinks) and the centre cropped; 0 keeps height and width.
      channels: 1 (ITU-R 601 luma) or 3 (RGB); 0 keeps one channel for grey modes and makes the
        rest RGB.
    """
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion would clip them
        image = Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    grey = channels == 1 or (channels == 0 and image.mode in ("1", "L", "LA", "La", "F"))
    image = image.convert("L" if grey else "RGB")
    if size and image.size != (size, size):
        width, height = image.size
        scale = size / min(width, height)
        resized = (max(size, round(width * scale)), max(size, round(height * scale)))
        if resized != image.size:
            image = image.resize(resized, Image.Resampling.LANCZOS)
        left, top = (resized[0] - size) // 2, (resized[1] - size) // 2
        image = image.crop((left, top, left + size, top + size))
    pixels = np.asarray(image, np.uint8)
    return pixels[..., None] if grey else pixels


def decode(encoded: bytes, name: str, size: int, channels: int) -> np.ndarray:
    """An encoded picture (PNG, JPEG, PGM, …) as `fit` gives it, turned upright if its EXIF says so.

    Raises:
      ConfigError: it cannot be decoded; `name` says which one it is.
    """
    from PIL import Image, ImageOps

    try:
        image: Image.Image = Image.open(io.BytesIO(encoded))
        if image.format == "JPEG":
            image = ImageOps.exif_transpose(image)
        return fit(image, size, channels)
    except Exception as e:  # Pillow's readers raise whatever their format makes them stumble over
        raise ConfigError(f"{name}: not a readable picture ({type(e).__name__})") from e


def decode_blocks(
    num_examples: int,
    read: Callable[[range], tuple[Sequence[bytes], Sequence[str], Rows]],
    size: int,
    channels: int,
) -> Iterator[Rows]:
    """Decodes pictures in threads (Pillow lets go of Python's lock), and yields blocks in order.

    Args:
      num_examples: how many there are.
      read: `read(range) -> (encoded pictures, their names, further rows)`.
      size, channels: as `fit` takes them.

    Yields:
      The further rows and `x`, uint8 (block, height, width, channels).

    Raises:
      ConfigError: a picture is broken, or is not of the shape of the first one.
    """

    def block(start: int) -> tuple[Sequence[str], list[np.ndarray], Rows]:
        encoded, names, rows = read(range(start, min(start + _BLOCK, num_examples)))
        x = [decode(e, name, size, channels) for e, name in zip(encoded, names)]
        return names, x, rows

    shape: tuple[int, ...] = ()
    first = ""
    for names, x, rows in _ahead(block, range(0, num_examples, _BLOCK)):
        if not shape:
            shape, first = x[0].shape, names[0]
        for pixels, name in zip(x, names):
            if pixels.shape != shape:
                raise ConfigError(
                    f"{name}: shape {pixels.shape} differs from {shape} of {first}; "
                    "config.data.image_size and config.data.channels make them one size and colour"
                )
        yield {**rows, "x": np.stack(x)}


def _ahead(function: Callable[[int], Any], items: range) -> Iterator[Any]:
    """`map` by threads, with a bounded number of results waiting."""
    workers = os.cpu_count() or 1
    waiting: collections.deque[Future] = collections.deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
