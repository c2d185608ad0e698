"""Shape and colour of pictures, by Pillow: what every image source does before storing."""

from typing import Any

import numpy as np


def fit(image: Any, size: int, channels: int) -> np.ndarray:
    """A Pillow image as uint8 (height, width, channels), values 0 … 255.

    Args:
      image: `PIL.Image.Image` of any mode.
      size: side of the square: the shorter side is resized to it (Lanczos, which smooths
        when it shrinks) and the centre cropped; 0 keeps height and width.
      channels: 1 (ITU-R 601 luma) or 3 (RGB); 0 keeps one channel for grey modes and makes the
        rest RGB. Transparency is dropped.
    """
    from PIL import Image

    grey = channels == 1 or (channels == 0 and image.mode in ("1", "L", "LA", "I", "F", "I;16"))
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
