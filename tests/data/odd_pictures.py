"""Pictures of every mode, and folders as people have them.

The pictures show the same: 64 of 255 on the left half, 192 on the right. After the inputs that
failed publicly, such as Pillow#3159 (floats), diffusers#3465 (EXIF), DIGITS#85 (transparency).
"""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIDE = 32
LEFT, RIGHT = 64, 192
GRAY = np.full((SIDE, SIDE), LEFT, np.uint8)
GRAY[:, SIDE // 2 :] = RIGHT
HIDDEN = SIDE // 4  # so many rows from the top are transparent in pictures with transparency


def picture(mode: str = "RGB") -> Image.Image:
    return Image.fromarray(GRAY).convert(mode)


def alpha() -> np.ndarray:
    a = np.full((SIDE, SIDE), 255, np.uint8)
    a[:HIDDEN] = 0
    return a


def _saved(image: Image.Image, kind: str, **options: Any) -> Callable[[Path], None]:
    return lambda path: image.save(path, kind, **options)


def _array(x: np.ndarray, kind: str) -> Callable[[Path], None]:
    return _saved(Image.fromarray(x), kind)


def _exif(orientation: int, kind: str, **options: Any) -> Callable[[Path], None]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _saved(picture(), kind, exif=exif, **options)


def pgm(x: np.ndarray, most: int) -> bytes:
    height, width = x.shape
    return b"P5\n%d %d\n%d\n" % (width, height, most) + x.astype(">u2").tobytes()


def tiff(x: np.ndarray, **tags: int) -> bytes:
    """A plain little-endian TIFF of one strip; tags: `width`, `photometric`, `bits`, `format`."""
    data = np.ascontiguousarray(x).tobytes()
    entries = [
        (256, tags.get("width", x.shape[1])), (257, x.shape[0]),
        (258, tags.get("bits", 8 * x.itemsize)), (259, 1), (262, tags.get("photometric", 1)),
        (273, 8), (277, tags.get("samples", 1)), (278, x.shape[0]),
        (279, len(data)), (339, tags.get("format", 1)),
    ]  # fmt: skip
    ifd = struct.pack("<H", len(entries))
    ifd += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + ifd + b"\0\0\0\0"


def plain_png(x: np.ndarray, bits: int, key: tuple[int, ...] = ()) -> bytes:
    """A PNG of `bits` (4 or 16) a channel, whose color `key` is transparent.

    It is gray, or of its last axis: gray and alpha, RGB, RGBA.
    """

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    height, width = x.shape[:2]
    if bits == 4:
        packed = (x[:, ::2] << 4 | x[:, 1::2]).astype(np.uint8)
    else:
        packed = x.astype(">u2").reshape(height, -1).view(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    color = {2: 4, 3: 2, 4: 6}[x.shape[2]] if x.ndim == 3 else 0
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0))
        + (chunk(b"tRNS", struct.pack(f">{len(key)}H", *key)) if key else b"")
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def twelve_bits(x: np.ndarray) -> bytes:
    """Values below 4096, two in three bytes, as TIFF packs them."""
    a, b = x[:, ::2].astype(np.uint16), x[:, 1::2].astype(np.uint16)
    return np.stack([a >> 4, (a & 15) << 4 | b >> 8, b & 255], -1).astype(np.uint8).tobytes()


def _write(content: bytes) -> Callable[[Path], None]:
    return lambda path: (path.write_bytes(content), None)[1]


_wide = GRAY.astype(np.uint16)
_palette = picture("P")
# File name: how to write it. All show LEFT and RIGHT, within 2.
SHOWN: dict[str, Callable[[Path], None]] = {
    "l.png": _saved(picture("L"), "PNG"),
    "rgb.png": _saved(picture(), "PNG"),
    "rgb.bmp": _saved(picture(), "BMP"),
    "UPPER.JPG": _saved(picture(), "JPEG"),
    "rgb.webp": _saved(picture(), "WEBP", lossless=True),
    "p.png": _saved(picture().convert("P", palette=Image.Palette.ADAPTIVE), "PNG"),
    "p.gif": _saved(picture("L"), "GIF"),
    "cmyk.jpg": _saved(picture("CMYK"), "JPEG"),
    "cmyk.tif": _saved(picture("CMYK"), "TIFF"),
    "ycc.tif": _saved(picture("YCbCr"), "TIFF"),
    "f32_0_1.tif": _array(GRAY.astype(np.float32) / 255, "TIFF"),
    "i16.png": _array(_wide * 257, "PNG"),
    "i16.tif": _array(_wide * 257, "TIFF"),
    "i16_big_endian.tif": _saved(
        Image.frombytes("I;16B", (SIDE, SIDE), (_wide * 257).astype(">u2").tobytes()), "TIFF"
    ),
    "i16_white_is_zero.tif": _write(tiff(65535 - _wide * 257, photometric=0)),
    "f32_white_is_zero.tif": _write(tiff(1 - GRAY / np.float32(255), photometric=0, format=3)),
    "maxval_4095.pgm": _write(pgm(_wide * 16, 4095)),
    "maxval_1023.pgm": _write(pgm(_wide * 4, 1023)),
    "maxval_65535.pgm": _write(pgm(_wide * 257, 65535)),
    "rgb16.ppm": _write(
        b"P6\n32 32\n4095\n" + np.repeat((_wide * 16).astype(">u2")[..., None], 3, -1).tobytes()
    ),
    "exif1.jpg": _exif(1, "JPEG"),
    "exif2_twice.png": lambda path: _turned(path),
}


def _turned(path: Path) -> None:
    """Mirrored pixels, and EXIF that mirrors them again."""
    exif = Image.Exif()
    exif[0x0112] = 2
    picture().transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path, "PNG", exif=exif)


# Where nothing in the file says what is white: with `data.max_value` they show the same.
UNCLEAR: dict[str, tuple[Callable[[Path], None], float]] = {
    "f32_0_255.tif": (_array(GRAY.astype(np.float32), "TIFF"), 255),
    "i32_0_255.tif": (_array(GRAY.astype(np.int32), "TIFF"), 255),
    "i32_0_65535.tif": (_array(GRAY.astype(np.int32) * 257, "TIFF"), 65535),
    "i12_in_16.png": (_array(_wide * 16, "PNG"), 4095),
    "i12_in_16.tif": (_array(_wide * 16, "TIFF"), 4095),
    "i8_in_16.png": (_array(_wide, "PNG"), 255),
    "signed.tif": (_write(tiff((_wide * 100).astype(np.int16), format=2)), 25500),
}

_hidden = np.array(picture())
_hidden[:HIDDEN] = (255, 0, 255)
_keyed = GRAY.copy()
_keyed[:HIDDEN] = 7
_keyed_rgb = np.array(picture())
_keyed_rgb[:HIDDEN] = (255, 0, 255)
_colors = _keyed_rgb.astype(np.int32)
# Rows of `HIDDEN` are transparent, the rest shows the same.
TRANSPARENT: dict[str, Callable[[Path], None]] = {
    "rgba_hidden_magenta.png": _saved(Image.fromarray(np.dstack([_hidden, alpha()])), "PNG"),
    "rgba.webp": _saved(
        Image.fromarray(np.dstack([_hidden, alpha()])), "WEBP", lossless=True, exact=True
    ),
    "rgba.tif": _saved(Image.fromarray(np.dstack([_hidden, alpha()])), "TIFF"),
    "la.png": _saved(Image.fromarray(np.dstack([GRAY, alpha()]), "LA"), "PNG"),
    "p_key.png": _saved(Image.fromarray(_keyed), "PNG", transparency=7),
    "p_key.gif": _saved(Image.fromarray(_keyed), "GIF", transparency=7),
    "rgb_key.png": _saved(Image.fromarray(_keyed_rgb), "PNG", transparency=(255, 0, 255)),
    "i16_key.png": _saved(
        Image.fromarray(np.where(_keyed == 7, 7, _wide * 257).astype(np.uint16)), "PNG",
        transparency=7,
    ),
    "four_bits_key.png": _write(
        plain_png(np.where(_keyed == 7, 7, np.where(GRAY == LEFT, 4, 11)), 4, (7,))
    ),
    "rgb16_key.png": _write(
        plain_png(
            np.where(_colors == GRAY[..., None], _colors * 257, _colors * 256 + 1),
            16, (255 * 256 + 1, 1, 255 * 256 + 1),
        )
    ),
    "palette_of_alphas.png": lambda path: _palette_of_alphas(path),
}  # fmt: skip


def _palette_of_alphas(path: Path) -> None:
    image = Image.fromarray(np.where(alpha() == 0, 2, GRAY == RIGHT).astype(np.uint8), "P")
    image.putpalette([LEFT] * 3 + [RIGHT] * 3 + [255, 0, 255])
    image.save(path, "PNG", transparency=bytes([255, 255, 0]))


# Name of the kind: turned a quarter clockwise by EXIF, so that the left half is above.
ORIENTED = {
    "exif6.jpg": _exif(6, "JPEG"),
    "exif6.png": _exif(6, "PNG"),
    "exif6.webp": _exif(6, "WEBP", lossless=True),
    "exif6.tif": _exif(6, "TIFF"),
}


def encoded(write: Callable[[Path], Any], tmp_path: Path, name: str = "picture") -> bytes:
    write(tmp_path / name)
    return (tmp_path / name).read_bytes()


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def folder(root: Path, n: int = 20, classes: int = 0, w: int = 8, h: int = 8) -> Path:
    """`n` random color PNGs 0000.png …, in turn in `classes` folders c0 …, or in none."""
    rng = np.random.RandomState(0)
    for i in range(n):
        to = root / f"c{i % classes}" if classes else root
        to.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.randint(0, 256, (h, w, 3)).astype(np.uint8)).save(to / f"{i:04}.png")
    return root


def zip_bomb() -> bytes:
    """A PNG whose header announces 13,500 x 13,500 pixels."""
    return png(Image.new("1", (13_500, 13_500)))


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)
