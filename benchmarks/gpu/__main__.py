"""The check of a lent GPU: facts, correctness, bits, and throughput against PyTorch's best.

    python -m benchmarks.gpu --out=FOLDER [--budget=SECONDS] [--only=a,b] [--resume=FILE]
        [--device=cuda|cpu] [--tiny]

Makes its rows in order, each in processes of its own and within a time, and writes FOLDER/
results.json and FOLDER/RESULTS.md after each. Rows that the file has are left out, so that a second
call goes on; --resume begins with those of another file; --only makes its rows anew. Rows that
measure no time are made several at once. --device=cpu --tiny rehearses it where there is no GPU.

A record is of one device: on another one nothing is added to it.

Exit status: 0 done, or out of time; 1 some row failed, or another device; 2 bad arguments.
"""

import argparse
import datetime
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.gpu import report
from benchmarks.gpu.measuring import LEAST_SECONDS, ROUNDS, OutOfTimeError, made
from benchmarks.gpu.row import Row
from benchmarks.gpu.rows import all_rows
from benchmarks.harness import machine

BUDGET = 420.0  # seconds; check.sh and what starts it take some more
_LEAST_LEFT = 15.0  # seconds, in which no task can be done; of a comparison a third of its time
_JOBS = 8  # rows at once that are not timed


def main(argv: Sequence[str] | None = None) -> int:
    """Makes the rows that are wanted; returns the exit status."""
    arguments = _parse(argv)
    results = Results(arguments.out, arguments.resume)
    rows = all_rows(arguments.device, arguments.tiny)
    only = arguments.only.split(",") if arguments.only else []
    wanted = [rows[n] for n in only] or [r for n, r in rows.items() if n not in results.rows]
    end = time.monotonic() + arguments.budget
    measured = (1, 0.0) if arguments.tiny else (ROUNDS, LEAST_SECONDS)
    refused: list[str] = []

    def make(row: Row) -> None:
        left = end - time.monotonic()
        if refused or left < (row.seconds / 3 if row.unit else _LEAST_LEFT):
            return
        print(f"{row.name} … ({left:.0f} s left)", file=sys.stderr, flush=True)
        try:
            result = made(row, left, *measured)
        except OutOfTimeError:
            return  # the next call makes it
        except Exception as error:  # whatever it is, it must not end the rows that follow
            result = {"about": row.about, "error": f"{type(error).__name__}: {error}"}
        place = result.get("device", "")
        if place and results.device and place != results.device:
            refused.append(f"{row.name} ran on {place}, the record is of {results.device}")
            return
        results.add(row.name, result)
        print(report.line(row.name, result), flush=True)

    for alone, some in itertools.groupby(wanted, lambda row: row.alone):
        jobs = 1 if alone else max(1, min(_JOBS, machine.cores() // 2))
        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(make, some))
    missing = [row.name for row in wanted if row.name not in results.rows]
    if refused:
        print(f"--out={arguments.out}: {refused[0]}", file=sys.stderr)
        return 1
    if missing:
        print(f"out of time; still to be made: {', '.join(missing)}", flush=True)
    return 1 if any("error" in results.rows.get(row.name, {}) for row in wanted) else 0


class Results:
    """The rows made so far, on the disk after each.

    Args:
      folder: of results.json and RESULTS.md; what is there is kept.
      begin: a file of rows to begin with, if there is none in `folder`.
    """

    def __init__(self, folder: Path, begin: Path | None = None):
        self._path, self._lock = folder / "results.json", threading.Lock()
        source = self._path if self._path.exists() else begin
        self.rows: dict[str, Any] = json.loads(source.read_text()) if source else {}

    @property
    def device(self) -> str:
        """The device that the rows were made on; empty: there is none yet."""
        return next((row["device"] for row in self.rows.values() if row.get("device")), "")

    def add(self, name: str, row: dict[str, Any]) -> None:
        """Adds a row and writes all."""
        with self._lock:
            today = datetime.date.today().isoformat()
            self.rows[name] = {**row, "recorded": today}
            _write(self._path, json.dumps(self.rows, indent=1) + "\n")
            try:
                page = report.markdown(self.rows)
            except Exception as error:  # it can be made of the rows later, which are what counts
                print(f"RESULTS.md: {type(error).__name__}: {error}", file=sys.stderr)
            else:
                _write(self._path.with_name("RESULTS.md"), page)


def _write(path: Path, text: str) -> None:
    """Writes a file whole or not at all, and onto the disk: the machine may go at any time."""
    beside = path.with_suffix(".new")
    with beside.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _parse(argv: Sequence[str] | None) -> Any:
    parser = argparse.ArgumentParser("python -m benchmarks.gpu", description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="of the results")
    parser.add_argument("--budget", type=float, default=BUDGET, help="seconds of all rows")
    parser.add_argument("--only", default="", help="rows, with commas; made anew")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="results.json to begin with")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--tiny", action="store_true", help="a rehearsal: small sizes, one run")
    arguments = parser.parse_args(argv)
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.resume and not arguments.resume.is_file():
        parser.error(f"--resume={arguments.resume}: no such file")
    rows = all_rows(arguments.device, arguments.tiny)
    for name in filter(None, arguments.only.split(",")):
        if name not in rows:
            parser.error(f"--only: no row {name!r}; must be some of {', '.join(rows)}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
