"""Animated pictures, as files that browsers show."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genjax.core import files

SUFFIXES = (".gif", ".webp")
MOST_FPS = 50  # what a GIF can say, and browsers keep to


def save_animation(path: str | os.PathLike[str], frames: Sequence[np.ndarray], fps: float) -> None:
    """Writes frames that follow one another without end, whole or not at all.

    A GIF has 256 colors a frame, its own ones, and shows a frame for a whole number of hundredths
    of a second; WebP is lossless. The same frames give the same bytes.

    Args:
      path: ends in .gif or .webp; folders above it are made.
      frames: at least one, uint8 (H, W, 1 or 3), all of one shape.
      fps: frames a second, at most 50.

    Raises:
      ValueError: wrong frames, suffix or rate.
      OSError: the file cannot be written.
    """
    from PIL import Image  # here: the training loop imports this room and may never write one

    path = Path(path)
    if path.suffix not in SUFFIXES or not 0 < fps <= MOST_FPS:
        raise ValueError(f"{path}, fps={fps}: must end in {SUFFIXES}, fps in (0, {MOST_FPS}]")
    shapes = {(x.dtype.name, x.shape) for x in frames}
    right = len(shapes) == 1 and all(x.ndim == 3 and x.shape[-1] in (1, 3) for x in frames)
    if not right or next(iter(shapes))[0] != "uint8":
        raise ValueError(f"frames {shapes}: must be uint8 (H, W, 1 or 3), all of one shape")
    gray = frames[0].shape[-1] == 1
    images = [Image.fromarray(x[..., 0] if gray else x) for x in frames]
    options: dict[str, Any] = {"lossless": True}
    if path.suffix == ".gif":
        options = {"optimize": False}
        if not gray:
            images = [image.quantize(256, Image.Quantize.MEDIANCUT) for image in images]
    first, *others = images
    duration = round(100 / fps) * 10  # milliseconds
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as file:
        first.save(
            file,
            path.suffix[1:].upper(),
            save_all=True,
            append_images=others,
            duration=duration,
            loop=0,
            **options,
        )
