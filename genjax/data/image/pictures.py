"""Pictures as every image source stores them: decoded by Pillow, fitted, in parallel."""

import collections
import dataclasses
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from genjax.core.config import ConfigError
from genjax.data.cache import Rows

RULES = 2  # of what pixels are made of a file; another number decodes all again
BACKGROUND = (255, 255, 255)  # what lies under transparent pixels: white
_BLOCK = 512  # pictures decoded by one task
_DARK = 4095  # a 16-bit picture without any value above it may hold 12 bits
_DARK_COLOR = _DARK >> 8  # the same of a picture that Pillow has made 8 bits of 16
_NEARLY_BLACK = 2  # of 255
_FIRST = 3  # unreadable pictures that are named


class Unreadable(ConfigError):
    """A picture that cannot be decoded; `reason` is what Pillow says."""

    def __init__(self, name: str, reason: str):
        super().__init__(f"{short_path(name)}: not a readable picture ({reason})")
        self.reason = reason


@dataclasses.dataclass
class Facts:
    """What decoding a split found; the cache keeps it (as JSON) beside the pixels.

    Attributes:
      count: pictures decoded.
      named: the name of the first of them.
      bad: how many could not be decoded.
      first_bad: names and reasons of the first few of those.
      moving: how many have several frames, of which the first was taken.
      dark: how many of more than 8 bits hold next to nothing but black, though not black alone.
      first_dark: the name of the first of those.
    """

    count: int = 0
    named: str = ""
    bad: int = 0
    first_bad: list[list[str]] = dataclasses.field(default_factory=list)
    moving: int = 0
    dark: int = 0
    first_dark: str = ""


class _Decoded(NamedTuple):
    pixels: np.ndarray
    moving: bool
    dark: bool


def fit(image: Any, size: int, channels: int) -> np.ndarray:
    """Turns a Pillow image into uint8 (height, width, channels), values 0 … 255.

    Transparent pixels show `BACKGROUND`, whatever color is hidden there.

    Args:
      image: `PIL.Image.Image` of at most 8 bits a channel.
      size: side of the square: the shorter side is resized to it (Lanczos, which smooths when it
        shrinks) and the center cropped; 0 keeps height and width.
      channels: 1 (ITU-R 601 luma) or 3 (RGB); 0 keeps one channel for gray modes and makes the rest
        RGB.
    """
    from PIL import Image

    if _is_wide(image):
        raise ValueError(f"mode {image.mode}: must have at most 8 bits a channel")
    gray = channels == 1 or (channels == 0 and image.mode in ("1", "L", "LA", "La"))
    if image.has_transparency_data:
        image = image.convert("LA") if image.mode == "La" else image
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (*BACKGROUND, 255)), image)
    image = image.convert("L" if gray else "RGB")
    if size and image.size != (size, size):
        width, height = image.size
        scale = size / min(width, height)
        resized = (max(size, round(width * scale)), max(size, round(height * scale)))
        if resized != image.size:
            image = image.resize(resized, Image.Resampling.LANCZOS)
        left, top = (resized[0] - size) // 2, (resized[1] - size) // 2
        image = image.crop((left, top, left + size, top + size))
    pixels = np.asarray(image, np.uint8)
    return pixels[..., None] if gray else pixels


def decode(encoded: bytes, name: str, size: int, channels: int, max_value: float = 0) -> np.ndarray:
    """Decodes a picture (PNG, JPEG, PGM, …), turns it upright if its EXIF says so, and fits it.

    Black is 0. White is what the file says: 255, a PGM's own maximum, 4095 of a TIFF of 12 bits,
    65535 of 16 bits, 1.0 of floats. Where a file does not say, `max_value` must, for it is the same
    for all pictures of a data set: for integers of 32 or signed ones of 16 bits, for floats beyond
    0 … 1, and for 16 bits if no value is above 4095, as in data of 12 bits that were stored in 16.
    Of colors, and of gray with transparency, it cannot say: Pillow keeps the upper 8 of 16 bits,
    and such data are refused. Of several frames the first counts.

    Args:
      encoded: the file.
      name: what errors call it.
      size, channels: as `fit` takes them.
      max_value: what is white in gray pictures of more than 8 bits, but for PGM; 0: as above.

    Raises:
      Unreadable: it cannot be decoded.
      ConfigError: what is white is not known or cannot be said, or a value is above `max_value` or
        below 0.
    """
    return _decode(encoded, name, size, channels, max_value).pixels


def _decode(encoded: bytes, name: str, size: int, channels: int, max_value: float) -> _Decoded:
    from PIL import Image

    try:
        image: Image.Image = Image.open(io.BytesIO(encoded))
        # A JPEG with several frames (MPO) is a photograph with its preview.
        kinds = ("GIF", "PNG", "TIFF", "WEBP")
        moving = image.format in kinds and bool(getattr(image, "is_animated", False))
        dark = False
        image.load()  # Pillow turns a TIFF here, and PNG may have its EXIF behind the pixels
        if _is_wide(image):
            image = _eight_bits(image, name, max_value)
            # Its white may be another than that of the set.
            dark = 0 < int(np.asarray(image).max()) <= _NEARLY_BLACK
        else:
            _check_reduced(image, encoded, name, max_value)
            if image.format == "PNG" and image.mode in ("L", "RGB"):
                _scale_key(image, encoded[24])
        return _Decoded(fit(_upright(image), size, channels), moving, dark)
    except (ConfigError, MemoryError):
        raise
    except Exception as e:  # Pillow's readers raise whatever their format makes them stumble over
        raise Unreadable(name, _reason(e, encoded)) from e


def _is_wide(image: Any) -> bool:
    return image.mode.startswith("I") or image.mode == "F"


def _check_reduced(image: Any, encoded: bytes, name: str, max_value: float) -> None:
    """Raises `ConfigError` where white is unknown, or said, of what Pillow has cut to 8 bits."""
    bits = 8
    if image.format == "PNG":
        bits = encoded[24]
    elif image.format == "TIFF":
        bits = max(image.tag_v2.get(258, (8,)))
    if bits != 16 or image.mode not in ("LA", "RGB", "RGBA"):
        return
    what = "16 bits and transparency" if image.mode == "LA" else "colors of 16 bits"
    end = "of them the upper 8 bits alone are read: store the set with 8 bits a channel"
    if max_value:
        raise ConfigError(
            f"{short_path(name)}: holds {what}; config.data.max_value={max_value:g} is for gray; "
            f"{end}"
        )
    colors = image.getbands()[: 1 if image.mode == "LA" else 3]
    high = max(image.getchannel(c).getextrema()[1] for c in colors)
    if 0 < high <= _DARK_COLOR:
        raise ConfigError(
            f"{short_path(name)}: {what}, but no value above {high * 256 + 255:g}: the file does "
            f"not say which value is white; {end}"
        )


def _upright(image: Any) -> Any:
    """Turns the image as its EXIF (of any format) wants it shown."""
    from PIL import ImageOps

    try:
        turned = image.getexif().get(0x0112, 1) != 1
    except Exception:  # broken EXIF says nothing
        return image
    return ImageOps.exif_transpose(image) if turned else image


def _scale_key(image: Any, bits: int) -> None:
    """Brings the transparent value of a PNG of so many bits a channel to 8 bits, as its pixels are.

    Pillow does not. Of colors of 16 bits, those that are equal in 8 bits become transparent.
    """
    key = image.info.get("transparency")
    if bits < 8 and isinstance(key, int):
        image.info["transparency"] = key * 255 // (2**bits - 1)
    elif bits == 16 and isinstance(key, tuple):
        image.info["transparency"] = tuple(v >> 8 for v in key)


def _eight_bits(image: Any, name: str, max_value: float) -> Any:
    """Turns a loaded gray image of more bits into one of mode L."""
    from PIL import Image

    x = np.asarray(image).astype(np.float64)
    low, high = x.min(), x.max()
    if not np.isfinite(low + high):
        raise Unreadable(name, "holds values that are no numbers")
    if low < 0:
        raise ConfigError(
            f"{short_path(name)}: holds {low:g}; pictures must not go below 0, which is black"
        )
    white, message = _white(image, high)
    if max_value and (image.format != "PPM" or image.mode == "F"):
        white = max_value
        if high > white:
            message = f"{short_path(name)}: holds {high:g}"
            raise ConfigError(f"{message}, above config.data.max_value={white:g}, which is white")
    if not white:
        guess = next((v for v in (255, 1023, 4095, 65535) if v >= high), high)
        raise ConfigError(
            f"{short_path(name)}: {message}: the file does not say which value is white; "
            f"set config.data.max_value to what it is in the whole set ({guess:g}?)"
        )
    if image.format == "TIFF" and image.tag_v2.get(262) == 0:  # white is zero; Pillow forgets it
        x = white - x
    hidden = image.info.get("transparency")
    pixels = np.rint(x * (255 / white)).astype(np.uint8)
    if isinstance(hidden, int):  # the one value that is transparent
        pixels[x == hidden] = BACKGROUND[0]
    gray = Image.fromarray(pixels)
    gray.info = {k: v for k, v in image.info.items() if k != "transparency"}  # EXIF among it
    return gray


def _white(image: Any, high: float) -> tuple[float, str]:
    """Returns the value of white as the file says it, or 0 and what the file holds instead."""
    if image.mode == "F":
        return (1.0, "") if high <= 1 else (0.0, f"floats up to {high:g}")
    if image.format == "PPM":
        return 65535.0, ""  # Pillow has made this of the file's own maximum
    bits = 16 if image.format == "PNG" or image.mode.startswith("I;16") else 32
    if image.format == "TIFF":
        bits = image.tag_v2.get(258, (bits,))[0]
        if image.tag_v2.get(339, (1,))[0] != 1:
            return 0.0, f"signed integers up to {high:g}"
    if bits > 16:
        return 0.0, f"integers of {bits} bits up to {high:g}"
    if bits == 16 and 0 < high <= _DARK:
        return 0.0, f"16 bits, but no value above {high:g}"
    return 2.0**bits - 1, ""


def _reason(error: Exception, encoded: bytes) -> str:
    """Returns Pillow's words, on one short line."""
    if not encoded:
        return "empty file"
    words = re.sub(r" <_io\.BytesIO[^>]*>", "", str(error)) or type(error).__name__
    words = " ".join(words.split())
    return words if len(words) <= 60 else f"{words[:59]}…"


def printable(name: str) -> str:
    """Replaces what cannot be printed in a name from a file system: bytes that are no text, …"""
    return "".join(c if c.isprintable() else "\ufffd" for c in name)


def short_path(name: str) -> str:
    """Makes a path `printable`; long ones lose their beginning."""
    name = printable(name)
    return name if len(name) <= 60 else f"…{name[-59:]}"


def some(bad: Sequence[Sequence[str]], room: int) -> str:
    """Lists the first few (name, reason) that go into `room` characters, at least one."""
    message = ""
    for name, reason in bad[:_FIRST]:
        more = f"{short_path(name)} ({reason})"
        if message and len(message) + len(more) > room:
            break
        message += f", {more}" if message else more
    return message


def decode_blocks(
    num_examples: int,
    read: Callable[[range], tuple[Sequence[bytes], Sequence[str], Rows]],
    size: int,
    channels: int,
    max_value: float,
    facts: Facts,
    within: str = "",
) -> Iterator[Rows]:
    """Decodes pictures in threads (Pillow lets go of Python's lock), and yields blocks in order.

    Args:
      num_examples: how many there are.
      read: `read(range) -> (encoded pictures, their names, further rows)`.
      size, channels, max_value: as `decode` takes them.
      facts: is told what was found; complete when the last block was taken.
      within: what errors put before a name.

    Yields:
      The further rows and `x`, uint8 (block, height, width, channels), without those of pictures
        that cannot be decoded.

    Raises:
      ConfigError: a picture is not of the shape of the first one, or does not say what is white.
    """

    def block(start: int) -> tuple[Sequence[str], list[Any], Rows]:
        encoded, names, rows = read(range(start, min(start + _BLOCK, num_examples)))
        decoded: list[Any] = []
        for e, name in zip(encoded, names):
            try:
                decoded.append(_decode(e, within + name, size, channels, max_value))
            except Unreadable as error:
                decoded.append(error)
        return names, decoded, rows

    shape: tuple[int, ...] = ()
    for names, decoded, rows in _ahead(block, range(0, num_examples, _BLOCK)):
        good = [i for i, d in enumerate(decoded) if not isinstance(d, Unreadable)]
        for name, d in zip(names, decoded):
            if isinstance(d, Unreadable):
                facts.bad += 1
                if len(facts.first_bad) < _FIRST:
                    facts.first_bad.append([name, d.reason])
                continue
            pixels = d.pixels
            facts.moving += d.moving
            facts.dark += d.dark
            if d.dark and not facts.first_dark:
                facts.first_dark = name
            if not shape:
                shape, facts.named = pixels.shape, within + name
            if pixels.shape != shape:
                raise other_shape(within + name, pixels.shape, facts.named, shape)
        if good:
            kept = {k: v[good] for k, v in rows.items()}
            kept["x"] = np.stack([decoded[i].pixels for i in good])
            facts.count += len(good)
            yield kept


def other_shape(name: str, shape: tuple[int, ...], first: str, shape_of_first: Any) -> ConfigError:
    """Makes the error for pictures that differ in shape."""
    return ConfigError(
        f"{short_path(name)}: shape {shape} differs from {shape_of_first} of {short_path(first)}; "
        "config.data.image_size and config.data.channels make them one size and color"
    )


def _ahead(function: Callable[[int], Any], items: range) -> Iterator[Any]:
    """Maps by threads, with a bounded number of results waiting."""
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
