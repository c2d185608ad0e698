"""Compiles recipes for accelerators that are not there, and reports what their compilers tell.

    python -m benchmarks.compile [--target=h100,v5e,cpu] [--recipes=vae,wgan_gp,…] [--devices=N]
        [--set=FIELD=VALUE …] [--wheels=DIR] [--json=FILE] [--record]

Each recipe is compiled in a process of its own: the chunk of steps that training runs, from shapes
alone. Reported are, of one step: kernels, times that the host is waited for (on a GPU also for
branches that are in no CUDA graph, see `graphs.py`), bytes that a device sends to others, floating
point operations, and the floors by arithmetic, memory and launches with the one that binds; of the
whole program: temporary and argument memory. With --devices above 1 the executor is `sharded`
unless --set says otherwise.

The compilers (1.3 GB) are `pip install '.[compile]'`, or --wheels names a folder that they were
installed into with `pip install --target`, which leaves the environment without them. --record
replaces the rows that were compiled in benchmarks/compile/results.json, and writes RESULTS.md.

Exit status: 0 done; 1 some recipe failed; 2 bad arguments.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.compile import table
from benchmarks.compile.target import TARGETS, NoCompilerError, environment

RECIPES = (
    "autoencoder", "vae", "wgan_gp", "wgan_gp_fashion", "wgan_gp_cifar10", "dcgan",
    "flow_matching_fashion", "word2vec_skipgram", "lstm_lm", "gru_lm", "elmo", "seq2seq_attention",
    "transformer", "gpt", "bert", "text_vae", "classifier", "tagger",
)  # fmt: skip
_HERE = Path(__file__).parent


def main(argv: Sequence[str] | None = None) -> int:
    """Compiles, prints and writes; returns the exit status."""
    arguments = _parse(argv)
    rows, failed = [], False
    for target in arguments.target:
        try:
            variables = environment(target, arguments.wheels, arguments.devices)
        except NoCompilerError as error:
            print(f"benchmarks.compile: --target={target}: {error}", file=sys.stderr)
            return 2
        for recipe in arguments.recipes:
            job = {"target": target, "recipe": recipe, "number": arguments.devices}
            row = job | _figures(job | {"fields": _fields(arguments)}, variables)
            row["fields"] = arguments.set
            failed |= "error" in row
            rows.append(row)
            print(table.line(row), file=sys.stderr, flush=True)
    print(table.text(rows))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(rows, indent=1) + "\n")
    if arguments.record:
        table.record(_HERE / "results.json", _HERE / "RESULTS.md", rows)
    return 1 if failed else 0


def _fields(arguments: Any) -> list[str]:
    """Returns the settings as flags of the programs."""
    given = list(arguments.set)
    if arguments.devices > 1 and not any(s.startswith("executor=") for s in given):
        given.append("executor=sharded")
    return [f"--config.{setting}" for setting in given]


def _figures(job: dict[str, Any], variables: dict[str, str]) -> dict[str, Any]:
    """Compiles in a process of its own; returns the figures, or `error`, a line."""
    command = [sys.executable, "-m", "benchmarks.compile.child", json.dumps(job)]
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    if done.returncode == 0:
        figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return figures
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return {"error": lines[-1][:300] if lines else f"ended with status {done.returncode}"}


def _parse(argv: Sequence[str] | None) -> Any:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.compile", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--target", default="h100,v5e", help=f"of {', '.join(TARGETS)}")
    parser.add_argument("--recipes", default=",".join(RECIPES), help="names or files, with commas")
    parser.add_argument("--devices", type=int, default=1, help="compile for so many")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--wheels", default="", metavar="DIR", help="where the compilers are")
    parser.add_argument("--json", metavar="FILE", help="write the rows")
    parser.add_argument("--record", action="store_true", help="write results.json and RESULTS.md")
    arguments = parser.parse_args(argv)
    arguments.target = arguments.target.split(",")
    arguments.recipes = arguments.recipes.split(",")
    for target in arguments.target:
        if target not in TARGETS:
            parser.error(f"--target={target}: must be of {', '.join(TARGETS)}")
    if arguments.devices not in (1, 2, 4, 8):
        parser.error(f"--devices={arguments.devices}: must be 1, 2, 4 or 8")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
