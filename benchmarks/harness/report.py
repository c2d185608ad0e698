"""What a benchmark reports: the table on the terminal, and the recorded page."""

from collections.abc import Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]
_HEAD = ("row", "ours", "peer", "peer's time", "ratio", "floor", "of floor", "alone")

FLOOR_NOTE = (
    "floor: operations of the necessary matrix products (counted by hand in "
    "benchmarks/harness/floor.py) over the float32 GEMM rate of large squares, measured in the "
    "same rounds; of floor: floor over our time. Ratio: peer's time over ours, above 1 is faster."
)


def table(results: Sequence[Result]) -> str:
    """Writes the results as aligned text."""
    lines = [_HEAD, *(_cells(r) for r in results)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEAD))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip() for line in lines)


def details(result: Result) -> str:
    """Writes one row in full: settings, every mode's median, the floors, who disturbed."""
    lines = [f"{result['name']}: seconds a {result['unit']}"]
    if result.get("note"):
        lines.append(f"  {result['note']}")
    for label, mode in result["modes"].items():
        lines.append(
            f"  {label}: median {seconds(mode['seconds'])}, spread {mode['spread']:.0%} "
            f"over {result['runs']} runs ({mode['settings']})"
        )
    if result["floor_seconds"]:
        lines.append(
            f"  floor {seconds(result['floor_seconds'])}: {result['gigaflops']:.4g} GFLOP at "
            f"{result['gemm_gflops']:.4g} GFLOP/s of large squares; at the rates of the row's own "
            f"shapes {seconds(result['floor_seconds_shapes'])}"
        )
    if result.get("other_cores") is not None:
        lines.append(f"  others kept {result['other_cores']:.2f} cores busy meanwhile")
    return "\n".join(lines)


def machine(described: Result, before: Result, after: Result) -> str:
    """Writes what the machine is and who else was on it, one fact a line."""
    versions = ", ".join(f"{name} {v}" for name, v in described["versions"].items())
    lines = [
        f"{described['cpu']}, {described['cores']} cores, {described['memory_gib']} GiB, "
        f"{described['system']}",
        f"Python {described['python']}, {versions}",
    ]
    for when, load in (("before", before), ("after", after)):
        state = {True: "idle", False: "NOT idle", None: "not known whether idle"}[load["idle"]]
        cores = "unknown" if load["other_cores"] is None else f"{load['other_cores']:.2f}"
        strays = "; ".join(load["strays"]) or "none above 5 %"
        lines.append(
            f"{when}: {state}, load {load['load_average']:.2f}, others use {cores} cores, "
            f"stray processes: {strays}"
        )
    return "\n".join(lines)


def markdown(results: Sequence[Result]) -> str:
    """Writes the recorded page: a table, and for each occasion its machine and its rows in full."""
    rule = "|" + "---|" * len(_HEAD)
    rows = [f"| {' | '.join(cells)} |" for cells in (_HEAD, *(_cells(r) for r in results))]
    lines = [
        "# Benchmarks", "", "Written by `python -m benchmarks.run --record=benchmarks`.", "",
        rows[0], rule, *rows[1:], "", FLOOR_NOTE, "",
    ]  # fmt: skip
    for recorded, facts in dict.fromkeys((r["recorded"], r["facts"]) for r in results):
        then = [r for r in results if (r["recorded"], r["facts"]) == (recorded, facts)]
        lines += [f"## {recorded}: {', '.join(r['name'] for r in then)}", ""]
        lines += [f"- {line}" for line in facts.splitlines()]
        lines += ["", "```", "\n\n".join(details(r) for r in then), "```", ""]
    return "\n".join(lines)


def seconds(value: float | None) -> str:
    """Writes a duration with three digits, in ms or s."""
    if value is None:
        return "-"
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"


def _cells(r: Result) -> tuple[str, ...]:
    ratio = "-" if r["ratio"] is None else f"{r['ratio']:.2f}"
    floor = r["floor_seconds"]
    share = f"{floor / r['seconds']:.0%}" if floor and r["seconds"] else "-"
    peer = f"{r['peer']} {r['peer_mode'] or ''}".strip() if r["seconds"] else r["peer"]
    others = r.get("other_cores")
    alone = "?" if others is None else ("yes" if r["alone"] else f"no: {others:.1f} cores")
    return (
        r["name"], seconds(r["seconds"]), peer, seconds(r["peer_seconds"]), ratio, seconds(floor),
        share, alone,
    )  # fmt: skip
