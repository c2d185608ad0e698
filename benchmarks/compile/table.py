"""Tables of what was compiled, and the floors of a step on its device."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compile.target import TARGETS

Row = Mapping[str, Any]
_KEY = ("target", "number", "recipe", "fields")
# Kernels a step on one H100 before launches were counted (commit 9a4e6f6), when each recipe also
# waited for the host once a step.
_BEFORE = {
    "autoencoder": 37, "gpt": 229, "lstm_lm": 1891, "seq2seq_attention": 1843, "text_vae": 1413,
    "transformer": 523, "vae": 52, "wgan_gp": 339, "word2vec_skipgram": 91,
}  # fmt: skip
_HEAD = (
    "recipe", "before", "kernels", "waits", "temporary MB", "arguments MB", "sent MB", "GFLOP",
    "arithmetic us", "memory us", "launches us", "binds",
)  # fmt: skip
_PAGE = """# What compilers tell

Of one training step, made for devices that were not there, by

```bash
python -m benchmarks.compile --target=h100,v5e --record
```

Kernels: what the device starts, loops as often as they run; before: at commit 9a4e6f6. Waits: how
often the host has to read a value before the device can go on. Sent: bytes that a device sends to
the others. Arithmetic, memory and launches: the least time that each of them leaves to a step at
the rates in `benchmarks/compile/target.py`; the largest binds. Memory is by the compiler's own
estimate of bytes accessed. None of it was measured on a device.
"""


def floors(row: Row) -> dict[str, float]:
    """Returns the seconds of a step that arithmetic, memory, launches and links leave at least."""
    target = TARGETS[row["target"]]
    found = {
        "arithmetic": row["flops"] / target.peak[row["precision"]],
        "memory": row["bytes"] / target.bandwidth,
        "launches": row["kernels"] * target.launch,
    }
    if row["wire_bytes"]:
        found["links"] = row["wire_bytes"] / target.link
    return found


def line(row: Row) -> str:
    """Writes a row as it is done."""
    where = f"{row['target']} x {row['number']} {row['recipe']}"
    if "error" in row:
        return f"{where}: failed: {row['error']}"
    return f"{where}: {row['kernels']:g} kernels a step, compiled in {row['compile_seconds']} s"


def text(rows: Sequence[Row]) -> str:
    """Writes rows as aligned columns."""
    cells = [("target", *_HEAD), *((_where(r), *_cells(r)) for r in rows if "error" not in r)]
    widths = [max(len(c[i]) for c in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(x.ljust(w) for x, w in zip(c, widths)).rstrip() for c in cells)


def record(path: Path, page: Path, rows: Sequence[Row]) -> None:
    """Replaces rows of a file of rows, adds new ones, and writes the page of all."""
    known = {_key(r): r for r in (json.loads(path.read_text()) if path.exists() else [])}
    known |= {_key(r): dict(r) for r in rows if "error" not in r}
    kept = [known[key] for key in sorted(known)]
    path.write_text(json.dumps(kept, indent=1) + "\n")
    page.write_text(markdown(kept))


def markdown(rows: Sequence[Row]) -> str:
    """Writes the page of all rows, a table for each target and number of devices."""
    parts = [_PAGE]
    for where in dict.fromkeys(map(_where, rows)):
        parts.append(f"\n## {where}\n")
        parts.append("| " + " | ".join(_HEAD) + " |")
        parts.append("|" + " --- |" * len(_HEAD))
        parts += ["| " + " | ".join(_cells(r)) + " |" for r in rows if _where(r) == where]
    return "\n".join(parts) + "\n"


def _key(row: Row) -> str:
    return json.dumps([row[name] for name in _KEY])


def _where(row: Row) -> str:
    number = f"{row['number']} x " if row["number"] > 1 else ""
    return number + TARGETS[row["target"]].description


def _cells(row: Row) -> tuple[str, ...]:
    seconds = floors(row)
    name = " ".join([row["recipe"], *row["fields"]])
    micro = [f"{1e6 * seconds[k]:.4g}" for k in ("arithmetic", "memory", "launches")]
    mega = [f"{row[k] / 1e6:.4g}" for k in ("temporary_bytes", "argument_bytes", "wire_bytes")]
    flops = f"{row['flops'] / 1e9:.4g}"
    waits = f"{row['waits']:g}"
    alone = (row["target"], row["number"], row["fields"]) == ("h100", 1, [])
    before = str(_BEFORE.get(row["recipe"], "")) if alone else ""
    binds = max(seconds, key=lambda k: seconds[k])
    return (name, before, f"{row['kernels']:g}", waits, *mega, flops, *micro, binds)
