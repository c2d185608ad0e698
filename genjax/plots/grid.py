"""Grids of images, as arrays and as PNG files."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from genjax.core import files
from genjax.core.config import ConfigError
from genjax.core.family import DataSpec

_TARGET_SIDE = 64  # pixels; without a `scale`, smaller images grow to about this
_SEPARATOR = 128  # gray, seen on black digits' ground as well as on white paper


def drawn(spec: DataSpec) -> bool:
    """Says whether examples are images that have a picture, gray or of three colors."""
    return spec.kind == "image" and spec.shape[-1] in (1, 3)


def check_drawn(spec: DataSpec, given: str) -> None:
    """Raises `ConfigError` for images that have no picture; `given`: what asks for one."""
    if spec.kind == "image" and not drawn(spec):
        raise ConfigError(f"{given}: samples of shape {spec.shape} have no picture")


def image_grid(
    images_NxHxWxC: Any, *, columns: int | None = None, scale: int | None = None
) -> np.ndarray:
    """Puts images side by side in rows, first to last, with gray separators of a few pixels.

    Args:
      images_NxHxWxC: at least one image with 1 or 3 channels, in [0, 1]. Values outside are
        clipped; a pixel that is not a number is black.
      columns: images in a row; None: about as many as rows.
      scale: each pixel becomes a square of so many, without interpolation; None: as many as bring
        the larger side of an image to 64 (an 8x8 digit is scaled by 8), at least one.

    Returns:
      uint8 (height, width, C). Places left in the last row are black.

    Raises:
      ValueError: no images, or another number of axes or channels.
    """
    images = np.asarray(images_NxHxWxC, np.float32)
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not len(images):
        raise ValueError(f"images {images.shape}: must be (N, H, W, C) with N > 0 and C 1 or 3")
    n, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = -(-n // columns)
    scale = scale or max(1, round(_TARGET_SIDE / max(height, width)))
    pixels = np.rint(np.clip(np.nan_to_num(images, nan=0.0), 0, 1) * 255).astype(np.uint8)
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    height, width, gap = height * scale, width * scale, max(1, scale // 4)
    grid = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, channels), _SEPARATOR, np.uint8
    )
    for i in range(rows * columns):
        top = gap + i // columns * (height + gap)
        left = gap + i % columns * (width + gap)
        grid[top : top + height, left : left + width] = pixels[i] if i < n else 0
    return grid


def reconstruction_grid(
    inputs_NxHxWxC: Any, outputs_NxHxWxC: Any, *, columns: int = 8, scale: int | None = None
) -> np.ndarray:
    """Puts inputs and their reconstructions in pairs of rows: inputs above, outputs right below.

    Both are as `image_grid` takes them, of one shape; `columns` pairs in a row, at most N.
    """
    columns = max(1, min(columns, len(inputs_NxHxWxC)))
    return image_grid(
        paired(inputs_NxHxWxC, outputs_NxHxWxC, columns), columns=columns, scale=scale
    )


def paired(inputs_NxHxWxC: Any, outputs_NxHxWxC: Any, columns: int) -> np.ndarray:
    """Returns the images of `reconstruction_grid` in the order of `image_grid`."""
    inputs, outputs = (np.asarray(x, np.float32) for x in (inputs_NxHxWxC, outputs_NxHxWxC))
    if inputs.shape != outputs.shape:
        raise ValueError(f"inputs {inputs.shape}, outputs {outputs.shape}: must be equal")
    missing = np.zeros((-len(inputs) % columns, *inputs.shape[1:]), np.float32)
    rows = [
        np.concatenate([x, missing]).reshape(-1, columns, *inputs.shape[1:])
        for x in (inputs, outputs)
    ]
    return np.stack(rows, axis=1).reshape(-1, *inputs.shape[1:])


def save_png(path: str | os.PathLike[str], image_HxWxC: np.ndarray) -> None:
    """Writes uint8 (H, W, 1 or 3) as a PNG, whole or not at all; makes the folders above it."""
    from PIL import Image  # here: the training loop imports this module and may never write one

    image = np.asarray(image_HxWxC)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] not in (1, 3):
        raise ValueError(f"image {image.dtype}{image.shape}: must be uint8 (H, W, 1 or 3)")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as file:
        Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(file, "PNG")
