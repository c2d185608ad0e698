"""Turns the record of a check into a page.

    python -m benchmarks.gpu.report benchmarks/h100

writes RESULTS.md from results.json of that folder, as the check itself does after each row.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness.report import seconds

Record = Mapping[str, Any]
# Dense peaks as NVIDIA prints them, operations a second, by a part of the device's name.
PEAKS = {
    "H100": {"float32": 494.7e12, "bfloat16": 989.4e12},
    "H200": {"float32": 494.7e12, "bfloat16": 989.4e12},
    "A100": {"float32": 156e12, "bfloat16": 312e12},
}
TOLERANCE = 1e-3  # relative, of float32 summed in another order


def main() -> int:
    """Writes the page of a record."""
    folder = Path(sys.argv[1])
    rows = json.loads((folder / "results.json").read_text())
    (folder / "RESULTS.md").write_text(markdown(rows))
    return 0


def markdown(rows: Record) -> str:
    """Writes the page of all rows of a record."""
    device = next((row["device"] for row in rows.values() if row.get("device")), "no device")
    parts = [
        f"# {device}",
        "Written by `python -m benchmarks.gpu` from results.json beside it: medians of runs of at "
        "least half a second, sides in turn on the same device, waited for. Share of the peak: "
        "products counted by hand over NVIDIA's dense peak (TF32 or bf16) in the time measured; "
        "ratio: PyTorch's quickest mode over ours, above 1 is faster.",
        _facts(rows.get("facts", {})),
        _ceilings(rows),
        _throughput(rows),
        _details(rows),
        _populations(rows),
        _agreement(rows),
        _bits(rows),
        _loops(rows),
        _kernels(rows),
        _failures(rows),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def line(name: str, row: Record) -> str:
    """Writes a row in a line, for the terminal."""
    if said := row.get("error") or row.get("skipped"):
        return f"{name}: {'failed' if 'error' in row else 'skipped'}: {said}"
    if "modes" in row:
        ours = next(iter(row["modes"].values()))
        ratio = "" if row["ratio"] is None else f", {row['ratio']:.2f} x {row['peer']}"
        notes = "".join(f"; {note}" for note in row["notes"])
        return f"{name}: {number(ours['rate'])} {row['unit']}/s{ratio}{notes}"
    return f"{name}: {json.dumps(row.get('result'))[:300]}"


def peak(device: str, precision: str) -> float | None:
    """Returns the device's dense peak, operations a second; None: it is not known."""
    found = (rates[precision] for name, rates in PEAKS.items() if name in device)
    return next(found, None)


def number(x: float) -> str:
    """Writes a number with three digits, in thousands or millions where it is large."""
    for size, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= size:
            return f"{x / size:.3g}{name}"
    return f"{x:.3g}"


def _table(title: str, head: tuple[str, ...], cells: Sequence[tuple[str, ...]]) -> str:
    if not cells:
        return ""
    lines = [f"| {' | '.join(row)} |" for row in (head, *cells)]
    return "\n".join([f"## {title}", "", lines[0], "|" + "---|" * len(head), *lines[1:]])


def _results(rows: Record, start: str) -> dict[str, Any]:
    """Returns the results of tasks by the rest of their names."""
    return {
        name.removeprefix(start): row["result"]
        for name, row in rows.items()
        if name.startswith(start) and "result" in row
    }


def _facts(row: Record) -> str:
    facts = row.get("result")
    if not facts:
        return ""
    versions = ", ".join(f"{name} {v}" for name, v in facts["versions"].items())
    said = ", ".join(f"{k} {v}" for k, v in (facts["nvidia_smi"] or {}).items())
    lines = [
        f"{facts['device']} ({facts['platform_version']}), {facts['cores']} cores of "
        f"{facts['cpu']}, {facts['memory_gib']} GiB, {facts['system']}",
        f"Python {facts['python']}, {versions}",
        said or "no NVIDIA driver",
        f"recorded {row.get('recorded', '')}",
    ]
    return "\n".join(f"- {text}" for text in lines)


def _ceilings(rows: Record) -> str:
    cells = []
    for name, r in _results(rows, "ceilings_").items():
        rates = (number(r["gemm_flops"][kind]) for kind in ("float32", "tf32", "bfloat16"))
        step = r.get("loop_step_seconds")
        launches = (f"{1e6 * r['dispatch_seconds']:.3g}", f"{1e6 * step:.3g}" if step else "-")
        cells.append((name, *rates, number(r["copy_bytes"]), *launches))
    head = ("by", "float32 FLOP/s", "TF32", "bf16", "copied bytes/s", "dispatch, us",
            "step of a loop, us")  # fmt: skip
    return _table("Ceilings", head, cells)


def _compared(rows: Record) -> dict[str, Any]:
    return {name: row for name, row in rows.items() if "modes" in row}


def _throughput(rows: Record) -> str:
    cells = []
    for name, row in _compared(rows).items():
        ours = next(iter(row["modes"].values()))
        theirs = row["modes"].get(row["peer"] or "")
        most = peak(row["device"], row["precision"])
        share = f"{ours['flops'] / most:.1%}" if most and ours["flops"] else "-"
        memory = ours["peak_bytes"]
        cells.append(
            (
                name, f"{number(ours['rate'])} {row['unit']}/s",
                f"{number(theirs['rate'])} ({row['peer']})" if theirs else "-",
                f"{row['ratio']:.2f}" if theirs else "-", share,
                f"{memory / 2**30:.2f} GiB" if memory else "-",
            )
        )  # fmt: skip
    head = ("row", "genjax", "PyTorch", "ratio", "share of the peak", "peak memory")
    return _table("Throughput", head, cells)


def _details(rows: Record) -> str:
    lines = []
    for name, row in _compared(rows).items():
        lines.append(f"{name}: {row['about']}")
        for label, mode in row["modes"].items():
            memory = mode["peak_bytes"]
            lines.append(
                f"  {label}: {seconds(mode['seconds'])}, spread {mode['spread']:.0%}"
                f"{f', {memory / 2**30:.2f} GiB' if memory else ''} ({mode['settings']})"
            )
        lines += [f"  {note}" for note in row["notes"]]
    return "\n".join(["```", *lines, "```"]) if lines else ""


def _populations(rows: Record) -> str:
    times = {  # seconds of a step of all members
        int(name.removeprefix("population_")): row["settings"]["members"]
        / next(iter(row["modes"].values()))["rate"]
        for name, row in _compared(rows).items()
        if name.startswith("population_")
    }
    one = times.get(1)
    cells = [
        (f"{n:,}", seconds(t), f"{t / one:.2f}" if one else "-") for n, t in sorted(times.items())
    ]
    return _table("Populations", ("members", "a step of all", "times of one"), cells)


def _agreement(rows: Record) -> str:
    cells = []
    for name, result in _results(rows, "family_").items():
        cells += [(name, what, *_difference(d)) for what, d in result.items()]
    for result in _results(rows, "ops").values():
        cells += [("ops", name, *_difference(d)) for name, d in result.items()]
    title = "Against the CPU, at the highest precision of products"
    return _table(title, ("of", "what", "largest relative difference", "", "in"), cells)


def _difference(d: Record) -> tuple[str, str, str]:
    if "error" in d:
        return "-", "FAILED", d["error"]
    if d["largest"] is None:
        return "-", "NOT FINITE", ", ".join(d["worst"])
    far = "" if d["largest"] <= TOLERANCE else "LARGE"
    return f"{d['largest']:.2g}", far, d["worst"][0] if d["largest"] and d["worst"] else ""


def _bits(rows: Record) -> str:
    def said(names: list[str]) -> str:
        return "the same" if not names else f"{len(names)} leaves differ: {', '.join(names[:2])}"

    cells = [
        (flags, recipe, said(d["resumed_differ"]), said(d["repeated_differ"]))
        for flags, result in _results(rows, "bits_").items()
        for recipe, d in result.items()
    ]
    head = ("XLA_FLAGS", "recipe", "killed and resumed", "trained once more")
    return _table("Bits, against an uninterrupted run", head, cells)


def _loops(rows: Record) -> str:
    cells = [
        (recipe, seconds(d["known_seconds"]), seconds(d["dynamic_seconds"]), _difference(d)[0])
        for recipe, d in _results(rows, "loops_").items()
    ]
    head = ("recipe, tiny", "step, known length", "step, any length", "leaves differ by")
    return _table("Loops over steps", head, cells)


def _kernels(rows: Record) -> str:
    cells = [
        (recipe, number(d["kernels"]), number(d["foreseen"]) if d["foreseen"] else "-",
         number(d["unknown_loops"]))
        for recipe, d in _results(rows, "kernels_").items()
    ]  # fmt: skip
    head = ("recipe", "kernels", "foreseen without a device", "loops of unknown length")
    return _table("Kernels of a step", head, cells)


def _failures(rows: Record) -> str:
    said = {name: row.get("error") or row.get("skipped") for name, row in rows.items()}
    lines = [f"- {name}: {text}" for name, text in said.items() if text]
    return "\n".join(["## Not measured", "", *lines]) if lines else ""


if __name__ == "__main__":
    sys.exit(main())
