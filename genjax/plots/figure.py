"""Matplotlib, without its global state: figures that become arrays. The only module to import it.

`pyplot` keeps every figure alive and chooses a backend for the whole process; a figure with its
own Agg canvas does neither, needs no display, and is gone when its caller drops it.
"""

from typing import Any

import numpy as np

_DPI = 100
TITLE, LABEL = 11, 9  # points


def new_figure(width: int, height: int, layout: Any = "constrained") -> Any:
    """Makes an empty `matplotlib.figure.Figure` of `width` x `height` pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def to_array(figure: Any) -> np.ndarray:
    """Draws the figure: uint8 (height, width, 3)."""
    figure.canvas.draw()
    if _rewrapped(figure):
        figure.canvas.draw()
    return np.array(figure.canvas.buffer_rgba())[..., :3]


def text_width(figure: Any, text: str, size: float = TITLE) -> float:
    """Measures the pixels that a line of text takes."""
    from matplotlib.font_manager import FontProperties

    renderer, font = figure.canvas.get_renderer(), FontProperties(size=size)
    return renderer.get_text_width_height_descent(text, font, False)[0]


def wrapped(figure: Any, text: str, width: float, size: float = TITLE) -> str:
    """Breaks a text into lines of at most `width` pixels, between words where that is enough.

    What Matplotlib would take for a formula is plain text.
    """
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(figure, longer, size) <= width:
            lines[-1] = longer
            continue
        while text_width(figure, word, size) > width and len(word) > 1:
            most = max(1, int(len(word) * width / text_width(figure, word, size)))
            while most > 1 and text_width(figure, word[:most], size) > width:
                most -= 1
            lines.append(word[:most])
            word = word[most:]
        lines.append(word)
    return plain("\n".join(lines))


def set_title(axes: Any, text: str, width: float) -> None:
    """Gives `axes`, `width` pixels wide, a title that is whole: in several lines if need be."""
    axes.set_title(wrapped(axes.figure, text, width - 16), fontsize=TITLE)


def _rewrapped(figure: Any) -> bool:
    """Breaks titles that reach beyond the figure: axes stand where drawing has put them."""
    changed = False
    for title in (axes.title for axes in figure.axes):
        box = title.get_window_extent()
        middle = (box.x0 + box.x1) / 2
        room = 2 * min(middle, figure.bbox.width - middle) - 8
        if title.get_text() and box.width > room:
            text = title.get_text().replace(r"\$", "$")
            title.set_text(wrapped(figure, text, room, title.get_fontsize()))
            changed = True
    return changed


def plain(text: str) -> str:
    """Escapes what Matplotlib would take for a formula."""
    return text.replace("$", r"\$")
