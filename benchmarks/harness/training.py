"""genjax's sides of rows: families from their recipes, run by the engine's own executors.

Data is random numbers of the right shape, on the device as real data are: arithmetic does not
depend on their values.
"""

import os
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from benchmarks.harness.child import Timed
from benchmarks.harness.sides import ROOT
from genjax import families, recipes
from genjax.core.family import DataSpec
from genjax.core.tokens import NUM_SPECIALS
from genjax.data.in_memory import Resident
from genjax.data.source import Dataset
from genjax.data.text.windows import Windows
from genjax.engine.compilation_cache import enable_compilation_cache
from genjax.engine.executor import Executor
from genjax.engine.parallel import make_executor
from genjax.ops.platform import lowering

ADAM = {"name": "adam", "schedule": "constant", "warmup_steps": 0, "b1": 0.9, "b2": 0.999}
TOTAL_STEPS = 10**6


def recipe(name: str, **fields: Any) -> ConfigDict:
    """Loads a recipe of `configs/`, with `fields` set and without its moving average."""
    config = recipes.load(str(ROOT / "configs" / f"{name}.py")).unlock()
    config.update(fields, ema_decay=0.0)
    return config


def images(num_examples: int, height: int, colors: int = 1, classes: int = 0) -> Dataset:
    """Makes images of uint8, with labels where there are classes."""
    shape, rng = (height, height, colors), np.random.default_rng(0)
    arrays = {"x": rng.integers(0, 256, (num_examples, *shape), np.uint8)}
    if classes:
        arrays["label"] = rng.integers(0, classes, num_examples, np.int32)
    source = Resident(arrays)
    return Dataset(DataSpec("image", shape, classes), source, source)


def windows(num_tokens: int, length: int, vocab_size: int) -> Dataset:
    """Makes a running text, of which windows of `length` tokens and the next one are read."""
    kind = np.min_scalar_type(vocab_size - 1)
    tokens = np.random.default_rng(0).integers(NUM_SPECIALS, vocab_size, num_tokens, kind)
    source = Windows(tokens, length)
    return Dataset(DataSpec("text", (length + 1,), vocab_size=vocab_size), source, source)


def rows(spec: DataSpec, **arrays: np.ndarray) -> Dataset:
    """Makes a data set of the rows of token arrays."""
    source = Resident(arrays, levels=0)
    return Dataset(spec, source, source)


def built(config: ConfigDict, spec: DataSpec) -> tuple[Any, Any]:
    """Builds a family; returns it and its first state."""
    enable_compilation_cache()
    family = families.build(config, spec, TOTAL_STEPS)
    return family, jax.jit(family.init)(jax.random.key(0))


def executor(config: ConfigDict, dataset: Dataset) -> Executor:
    """Makes the executor that trains a family on `dataset`."""
    enable_compilation_cache()
    family = families.build(config, dataset.spec, TOTAL_STEPS)
    return make_executor(family, dataset, config)


def timed(
    config: ConfigDict, dataset: Dataset, steps: int, units: float = 0, warm_up: bool = True
) -> Timed:
    """Makes a side that trains `steps` updates a run, which are `units` (0: as many) of its row.

    Its result is `peak_bytes` of the device's memory, where the device counts them.
    """
    made, run_by = 0, executor(config, dataset)
    units = units or steps
    if steps % run_by.chunk and lowering("loops over steps") == "static":
        # Whole chunks alone have a known length there, see `genjax.engine.executor`: a run is some
        # of them, and makes a few steps more.
        pieces = -(-steps // run_by.chunk)
        whole = -(-steps // pieces)
        run_by = executor(ConfigDict({**config, "chunk": whole}), dataset)
        steps, units = pieces * whole, units * pieces * whole / steps
    state = run_by.init()

    def run() -> dict[str, int] | None:
        nonlocal state, made
        state = advance(run_by, state, made, steps)
        jax.block_until_ready(state)
        made += steps
        return peak_memory()

    if warm_up:
        run()
    else:
        state = advance(run_by, state, 0, 0)  # compiles and makes no step
        jax.block_until_ready(state)
    return Timed(run, units=units, info=described(run_by))


def advance(executor: Executor, state: Any, first: int, steps: int) -> Any:
    """Makes `steps` updates in the executor's chunks; dispatched, not waited for."""
    for start in range(first, first + max(steps, 1), executor.chunk):
        n = min(executor.chunk, first + steps - start)
        state, _ = executor.run(state, start, n)
    return state


def described(executor: Executor) -> dict[str, str]:
    """Describes a side for the record."""
    kind = executor.config.executor
    cores = os.cpu_count()
    settings = f"executor {kind}, chunks of {executor.chunk} steps, {cores} cores"
    return {"settings": settings, "device": device_name()}


def device_name() -> str:
    """Returns the name of the device that JAX computes on, as its driver calls it; or `cpu`."""
    device = jax.devices()[0]
    return "cpu" if device.platform == "cpu" else str(device.device_kind)


def peak_memory() -> dict[str, int] | None:
    """Returns the most memory that arrays have taken so far, as `peak_bytes`; None: not known."""
    counted = jax.devices()[0].memory_stats()
    return {"peak_bytes": counted["peak_bytes_in_use"]} if counted else None
