"""Measures genjax beside what its user would pick instead, both in turn on the same machine.

    python -m benchmarks.run [--only=a,b] [--rounds=N] [--json=FILE] [--record=FOLDER] [--search]

Peers are installed by `pip install .[benchmarks]`. Run it on an idle machine; what was not idle is
said. --record=benchmarks replaces the rows that were run in FOLDER/results.json, leaves the others
as they were recorded, and writes FOLDER/RESULTS.md from all of them. --suite=gpu is the check of a
GPU instead, `python -m benchmarks.gpu`, with that program's arguments.

Exit status: 0 done; 1 some row of ours failed; 2 bad arguments.
"""

import argparse
import datetime
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu import __main__ as gpu
from benchmarks.harness import machine, report
from benchmarks.harness.measure import measure
from benchmarks.harness.row import Row
from benchmarks.harness.sides import SideError
from benchmarks.rows import all_rows

_GPU = "--suite=gpu"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the rows, prints and writes their results; returns the exit status."""
    given = sys.argv[1:] if argv is None else list(argv)
    if _GPU in given:
        return gpu.main([flag for flag in given if flag != _GPU])
    rows = all_rows()
    arguments = _parse(given, rows)
    # Children are killed on the way out, so a SIGTERM must be a way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    described, before = machine.describe(), machine.load()
    results, failed = _measure_all([rows[name] for name in arguments.only], arguments)
    facts = report.machine(described, before, after := machine.load())
    print("", report.table(results), "", report.FLOOR_NOTE, "", facts, sep="\n")
    today = datetime.date.today().isoformat()
    for result in results:
        result |= {"machine": described, "load_before": before, "load_after": after}
        result |= {"recorded": today, "facts": facts}
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=1) + "\n")
    if arguments.record:
        _record(Path(arguments.record), results, list(rows))
    return 1 if failed else 0


def _record(folder: Path, results: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
    """Merges the rows that were measured with those recorded before, in the order of `names`."""
    path = folder / "results.json"
    known = {r["name"]: r for r in (json.loads(path.read_text()) if path.exists() else [])}
    known |= {r["name"]: r for r in results if r["seconds"] is not None}
    kept = [known[name] for name in names if name in known]
    path.write_text(json.dumps(kept, indent=1) + "\n")
    (folder / "RESULTS.md").write_text(report.markdown(kept))


def _measure_all(rows: Sequence[Row], arguments: Any) -> tuple[list[dict[str, Any]], bool]:
    results, failed = [], False
    for row in rows:
        print(f"{row.name} …", file=sys.stderr, flush=True)
        try:
            results.append(measure(row, arguments.rounds, arguments.search))
            print(report.details(results[-1]), flush=True)
        except SideError as error:
            failed = True
            print(f"{row.name}: failed: {error}", file=sys.stderr, flush=True)
    return results, failed


def _parse(argv: Sequence[str] | None, rows: dict[str, Row]) -> Any:
    parser = argparse.ArgumentParser("python -m benchmarks.run", description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help=f"rows, with commas: {', '.join(rows)}")
    parser.add_argument("--rounds", type=int, help="runs of each side; default: each row's own")
    parser.add_argument("--search", action="store_true", help="try more modes of the peers")
    parser.add_argument("--json", metavar="FILE", help="write the results as a list of rows")
    parser.add_argument("--record", metavar="FOLDER", help="of results.json and RESULTS.md")
    arguments = parser.parse_args(argv)
    arguments.only = arguments.only.split(",") if arguments.only else list(rows)
    for name in arguments.only:
        if name not in rows:
            parser.error(f"--only: no row {name!r}; must be some of {', '.join(rows)}")
    if arguments.rounds is not None and arguments.rounds < 1:
        parser.error(f"--rounds={arguments.rounds}: must be at least 1")
    folders = {"json": Path(arguments.json or "").absolute().parent}
    folders["record"] = Path(arguments.record or "")
    for flag, folder in folders.items():
        if not folder.is_dir():
            parser.error(f"--{flag}={getattr(arguments, flag)}: no such folder")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
