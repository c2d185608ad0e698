"""CUDA graphs that XLA makes of a program: one launch of many kernels, branches and all.

What a graph holds, which XLA calls a command buffer, is decided after the last optimization of HLO.
It is seen in a dump of thunks alone: a line for each, indented below the one that runs it.
"""

import re
from pathlib import Path

_THUNK = re.compile(r"^( *)\d+: (k\w+)")
_DUMPED = "*.thunk_sequence_after_thunk_passes.txt"


def thunks(folder: str) -> str:
    """Reads the thunks of the program that was dumped into a folder; "": there are none."""
    found = [path.read_text() for path in Path(folder).glob(_DUMPED)]
    return max(found, key=len, default="")


def outside(text: str, kind: str) -> int:
    """Counts the thunks of a kind, as `kConditional`, that are in no graph."""
    graph = -1  # how far the graph is indented that the line may be in; -1: it is in none
    number = 0
    for line in text.splitlines():
        if not (m := _THUNK.match(line)):
            continue
        indent = len(m.group(1))
        if 0 <= graph < indent:
            continue
        graph = indent if m.group(2) == "kCommandBuffer" else -1
        number += m.group(2) == kind
    return number
