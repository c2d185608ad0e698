"""Matplotlib, without its global state: figures that become arrays. The only module to import it.

`pyplot` keeps every figure alive and chooses a backend for the whole process; a figure with its
own Agg canvas does neither, needs no display, and is gone when its caller drops it.
"""

from typing import Any

import numpy as np

_DPI = 100


def new_figure(width: int, height: int) -> Any:
    """An empty `matplotlib.figure.Figure` of `width` x `height` pixels with an Agg canvas."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def to_array(figure: Any) -> np.ndarray:
    """The drawn figure, uint8 (height, width, 3)."""
    figure.canvas.draw()
    return np.array(figure.canvas.buffer_rgba())[..., :3]
