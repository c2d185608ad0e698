"""Compiles the chunk of one recipe for one target and prints its figures as a line of JSON.

Run by `python -m benchmarks.compile`, in the environment of the target.
"""

import json
import sys
import tempfile
import time
from typing import Any

import numpy as np

from benchmarks.compile import graphs, hlo
from benchmarks.compile.target import TARGETS, devices

# Pictures that need not be there to be compiled for: how many, and their shape.
_PICTURES = {
    "tfds:fashion_mnist": (60_000, 28, 28, 1),
    "tfds:cifar10": (50_000, 32, 32, 3),
    "tfds:celeb_a": (20_000, 64, 64, 3),  # a tenth of them: they are streamed in any case
}


def main() -> None:
    """Reads what to do as JSON from the command line."""
    print(json.dumps(compiled(**json.loads(sys.argv[1]))), flush=True)


def compiled(target: str, recipe: str, number: int, fields: list[str]) -> dict[str, Any]:
    """Compiles a recipe for `number` devices; `fields` are flags, as `--config.batch_size=8`."""
    run, executor, lowered = chunk(
        recipe, fields, devices(target, number), TARGETS[target].platform
    )
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        on_gpu = TARGETS[target].platform == "cuda"
        program = lowered.compile({"xla_dump_to": folder} if on_gpu else None)
        thunks = graphs.thunks(folder)
    seconds = time.perf_counter() - start
    memory: Any = program.memory_analysis()
    step = hlo.step(program.as_text() or "")
    waits: float = 0  # but for a GPU devices run loops and branches by themselves
    if on_gpu:
        waits = step.counts.waits + (step.trips is None)
        # What is in a graph takes branches by itself as well.
        if not thunks or graphs.outside(thunks, "kConditional"):
            waits += step.counts.branches
    return {
        "kernels": step.counts.kernels,
        "waits": waits,
        "branches": step.counts.branches,
        "trips": step.trips,
        "unknown_loops": step.counts.unknown,
        "collectives": hlo.by_operation(step.counts.collectives),
        "wire_bytes": hlo.wire_bytes(step.counts.collectives, number),
        "temporary_bytes": memory.temp_size_in_bytes,
        "argument_bytes": memory.argument_size_in_bytes,
        "flops": _flops(run) / number,
        "bytes": step.counts.bytes,
        "parameters": _parameters(executor),
        "compile_seconds": round(seconds, 1),
        "precision": str(run.config.precision),
    }


def chunk(recipe: str, fields: list[str], places: list[Any], platform: str) -> tuple[Any, Any, Any]:
    """Lowers the chunk of steps that training a recipe runs; returns run, executor and program."""
    from absl import flags

    from genjax import recipes
    from genjax.data import arrays
    from genjax.engine.parallel import make_executor
    from genjax.engine.run import prepare

    config = recipes.override(recipes.load(recipe), fields, flags.FlagValues())
    given = _made(config.data.name)
    run = prepare(arrays.named(config, given), arrays=given)
    seen = run.dataset.in_training()
    executor = make_executor(run.family, seen, run.config, devices=places)
    return run, executor, executor.lower(platform)


def _made(name: str) -> Any:
    """Makes black pictures in the place of a data set of `_PICTURES`; None: it is another."""
    if name not in _PICTURES:
        return None
    pictures = np.zeros(_PICTURES[name], np.uint8)
    labels = np.arange(len(pictures)) % 10
    test = {"x": pictures[:1000], "label": labels[:1000]}
    return {"x": pictures, "label": labels, "test": test}


def _flops(run: Any) -> float:
    """Counts the operations of a step on all devices, as one device would make them."""
    from genjax.engine.executor import Executor

    if run.executor.num_members:
        return float(run.executor.step_flops())
    return Executor(run.family, run.dataset.in_training(), run.config).step_flops()


def _parameters(executor: Any) -> int:
    import jax

    return sum(leaf.size for leaf in jax.tree.leaves(executor.template().params))


if __name__ == "__main__":
    main()
