"""Packing: several whole texts in one row, so that little of a batch is padding."""

import bisect
from collections.abc import Sequence

import numpy as np

from genjax.core.tokens import PAD


def assign(lengths: Sequence[int], width: int) -> list[list[int]]:
    """Chooses which texts share a row: lists of their numbers, of at most `width` tokens together.

    Best fit decreasing: from the longest text on, each goes where it leaves the least room, and
    into a new row where there is none. It takes at most 11/9 of the fewest rows and a few more
    (Johnson et al. 1974).
    """
    if max(lengths, default=0) > width:
        raise ValueError(f"a text of {max(lengths)} tokens does not fit into a row of {width}")
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (what is left, row), in ascending order
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        at = bisect.bisect_left(room, (lengths[i], -1))
        if at == len(room):
            rows.append([])
            left, row = width, len(rows) - 1
        else:
            left, row = room.pop(at)
        rows[row].append(i)
        if left > lengths[i]:
            bisect.insort(room, (left - lengths[i], row))
    return rows


def pack(texts: Sequence[np.ndarray], width: int) -> np.ndarray:
    """Packs texts (each of at most `width` tokens, its EOS included) into rows (N, width), padded.

    One that has no EOS, as it is cut, has `width` tokens. `genjax.core.tokens.segments` tells the
    texts of a row apart again.
    """
    rows = assign([len(text) for text in texts], width)
    kind = texts[0].dtype if texts else np.uint8
    packed = np.full((len(rows), width), PAD, kind)
    for row, members in zip(packed, rows):
        found = np.concatenate([texts[i] for i in members])
        row[: len(found)] = found
    return packed
