"""Attention maps: which words of a source each word of its answer looks at."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from genjax.plots.figure import new_figure, plain, to_array

_WORD, _MARGIN = 26, 110  # pixels


def plot_attention(
    maps: Sequence[tuple[Any, Sequence[str], Sequence[str]]], *, columns: int = 3
) -> np.ndarray:
    """Draws maps side by side; black is no weight and white a weight of 1.

    `maps` has of each answer: weights (U, S), each row adding up to 1, the names of the U words of
    the answer (rows) and of the S words of the source (columns). Returns uint8 (height, width, 3).
    """
    if not maps:
        raise ValueError("no maps: must be at least one")
    columns = min(columns, len(maps))
    rows = math.ceil(len(maps) / columns)
    width = max(len(source) for _, _, source in maps) * _WORD + _MARGIN
    height = max(len(answer) for _, answer, _ in maps) * _WORD + _MARGIN
    figure = new_figure(width * columns, height * rows)
    for i, (weights_UxS, answer, source) in enumerate(maps):
        weights = np.asarray(weights_UxS, np.float32)
        if weights.shape != (len(answer), len(source)):
            raise ValueError(f"weights {weights.shape}: must be {(len(answer), len(source))}")
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.imshow(weights, cmap="gray", vmin=0, vmax=1)
        axes.xaxis.tick_top()
        axes.set_xticks(range(len(source)), [plain(word) for word in source], rotation=90)
        axes.set_yticks(range(len(answer)), [plain(word) for word in answer])
    return to_array(figure)
