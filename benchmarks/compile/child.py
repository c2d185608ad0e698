"""Compiles the chunk of one recipe for one target and prints its figures as a line of JSON.

Run by `python -m benchmarks.compile`, in the environment of the target.
"""

import json
import sys
import time
from typing import Any

from benchmarks.compile import hlo
from benchmarks.compile.target import TARGETS, devices


def main() -> None:
    """Reads what to do as JSON from the command line."""
    print(json.dumps(compiled(**json.loads(sys.argv[1]))), flush=True)


def compiled(target: str, recipe: str, number: int, fields: list[str]) -> dict[str, Any]:
    """Compiles a recipe for `number` devices; `fields` are flags, as `--config.batch_size=8`."""
    from absl import flags

    from genjax import recipes
    from genjax.engine.parallel import make_executor
    from genjax.engine.run import prepare

    config = recipes.override(recipes.load(recipe), fields, flags.FlagValues())
    run = prepare(config)
    seen = run.dataset.in_training()
    executor = make_executor(run.family, seen, run.config, devices=devices(target, number))
    lowered = executor.lower(TARGETS[target].platform)
    start = time.perf_counter()
    program = lowered.compile()
    seconds = time.perf_counter() - start
    memory: Any = program.memory_analysis()
    cost: Any = program.cost_analysis() or {}
    step = hlo.step(program.as_text() or "")
    return {
        "kernels": step.counts.kernels,
        "waits": step.counts.waits + (step.trips is None),
        "trips": step.trips,
        "unknown_loops": step.counts.unknown,
        "collectives": dict(step.counts.collectives),
        "wire_bytes": hlo.wire_bytes(step.counts.collectives, number),
        "temporary_bytes": memory.temp_size_in_bytes,
        "argument_bytes": memory.argument_size_in_bytes,
        "flops": _flops(executor) / number,
        "bytes": float(cost.get("bytes accessed", 0.0)),
        "parameters": _parameters(executor),
        "compile_seconds": round(seconds, 1),
        "precision": str(run.config.precision),
    }


def _flops(executor: Any) -> float:
    """Counts the operations of a step on all devices."""
    return float(executor.step_flops())


def _parameters(executor: Any) -> int:
    import jax

    return sum(leaf.size for leaf in jax.tree.leaves(executor.template().params))


if __name__ == "__main__":
    main()
