"""Where the time of a run goes: traces, a breakdown of the clock, and operations per second."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from absl import logging
from jax.extend import core

from genjax.core.config import ConfigError


def parse_profile_steps(text: str) -> tuple[int, int] | None:
    """Reads `"a:b"` as (a, b), the steps a … b-1 to trace; None for the empty text.

    Raises:
      ConfigError: it is not two whole numbers with 0 <= a < b.
    """
    if not text:
        return None
    first, _, last = text.partition(":")
    if not (first.isdecimal() and last.isdecimal() and int(first) < int(last)):
        raise ConfigError(f"--profile_steps={text!r}: must be a:b with whole numbers 0 <= a < b")
    return int(first), int(last)


class Profiler:
    """Traces the chunks that hold the chosen steps into `workdir/profile`.

    TensorBoard's profile plugin opens that folder; https://ui.perfetto.dev opens the
    `perfetto_trace.json.gz` in it.

    Args:
      workdir: the run's folder.
      steps: (first, last) as of `parse_profile_steps`; None: nothing is traced.
    """

    def __init__(self, workdir: str | Path, steps: tuple[int, int] | None) -> None:
        self.directory = Path(workdir) / "profile"
        self._steps, self._running = steps, False

    def before(self, first_step: int, last_step: int) -> None:
        """Starts before the chunk of steps first_step … last_step-1 is dispatched, if it is to."""
        if self._steps is None or self._running:
            return
        if first_step < self._steps[1] and self._steps[0] < last_step:
            jax.profiler.start_trace(self.directory, create_perfetto_trace=True)
            self._running = True

    def after(self, step: int, wait_for: Any = None) -> None:
        """Ends once the chunk that ends before `step` is dispatched; `wait_for`: its outputs."""
        if self._running and self._steps is not None and step >= self._steps[1]:
            jax.block_until_ready(wait_for)
            self.close()

    def close(self) -> None:
        """Ends a trace that is running, and writes it."""
        if self._running:
            self._running = False
            jax.profiler.stop_trace()
            logging.info("The trace is in %s", self.directory)


class Clock:
    """Adds up where the seconds of a run go.

        with clock("data"): …

    Seconds count for the innermost part that is open; those outside of any are the host's. `device`
    is to be the time that the host *waits* for the device: what runs while the host is busy with
    something else costs nothing. `evaluation` is evaluating, sampling and saving.
    """

    PARTS = ("compile", "data", "device", "host", "evaluation")

    def __init__(self) -> None:
        self._seconds = dict.fromkeys(self.PARTS, 0.0)
        self._open = ["host"]
        self._mark = time.perf_counter()

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Counts the time inside for `part`, one of `PARTS`."""
        if part not in self._seconds:
            raise ValueError(f"part {part!r} is not one of {', '.join(self.PARTS)}")
        self._charge()
        self._open.append(part)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def training_seconds(self) -> float:
        """Returns the seconds of training itself: all but compilation and evaluation."""
        seconds = self.summary()
        return seconds["total"] - seconds["compile"] - seconds["evaluation"]

    def summary(self) -> dict[str, float]:
        """Returns the seconds of each part so far, and `total`."""
        self._charge()
        return self._seconds | {"total": sum(self._seconds.values())}

    def _charge(self) -> None:
        now = time.perf_counter()
        self._seconds[self._open[-1]] += now - self._mark
        self._mark = now


def flops_of(stage: Any) -> float:
    """Counts operations of a `jax.stages.Lowered` or `Compiled`, by XLA's cost analysis.

    XLA counts the body of a loop once, however often it runs; see `flops_of_function`. 0 where the
    backend does not tell.
    """
    cost = stage.cost_analysis()
    cost = cost[0] if isinstance(cost, list) and cost else cost
    flops = float(cost.get("flops", 0.0)) if cost else 0.0
    return flops if math.isfinite(flops) and flops > 0 else 0.0


def flops_of_function(f: Callable[..., Any], *args: Any) -> float:
    """Counts operations of `f(*args)`, the body of a scan as often as it runs.

    Each body goes through XLA's cost analysis by itself. Nothing is compiled or run. The number of
    rounds of a `while_loop` is not known: it counts as one. `args` may be `jax.ShapeDtypeStruct`.
    """
    return _flops(jax.make_jaxpr(f)(*args))[1]


def measured_gemm_rate(dtype: Any = jnp.float32, *, seconds: float = 0.3) -> float:
    """Measures operations per second of the best of several square matrix products.

    On the default device, in its default precision, with matrices that are doubled in width until
    one product takes long enough that starting it does not matter; `seconds`: about how long.
    """
    product = jax.jit(jnp.matmul)

    def measure(x: jax.Array) -> float:
        start = time.perf_counter()
        product(x, x).block_until_ready()
        return time.perf_counter() - start

    n = 256
    while True:
        x = jnp.ones((n, n), dtype)
        measure(x)  # compiles
        took = min(measure(x) for _ in range(3))
        if took > seconds / 20 or n >= 16384:
            break
        n *= 2
    deadline = time.perf_counter() + seconds / 2
    while time.perf_counter() < deadline:
        took = min(took, measure(x))
    return 2.0 * n**3 / took


def _flops(closed: Any) -> tuple[float, float]:
    """Counts operations with each loop body as XLA does, and as often as it runs."""
    shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in closed.in_avals]
    once = flops_of(jax.jit(core.jaxpr_as_fun(closed)).lower(*shapes))
    total = once
    for body, length, unroll in _scans(closed.jaxpr):
        body_once, body_total = _flops(body)
        in_program = min(length, unroll + length % unroll)  # copies of the body that XLA sees
        total += length * body_total - in_program * body_once
    return once, total


def _scans(jaxpr: Any) -> Iterator[tuple[Any, int, int]]:
    """Yields (body, length, unroll) of the outermost scans of a jaxpr."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "scan":
            p = equation.params
            yield p["jaxpr"], p["length"], max(1, int(p["unroll"]))
            continue
        for value in jax.tree.leaves(list(equation.params.values()), is_leaf=_is_jaxpr):
            if _is_jaxpr(value):
                yield from _scans(getattr(value, "jaxpr", value))


def _is_jaxpr(x: Any) -> bool:
    return isinstance(x, core.Jaxpr | core.ClosedJaxpr)
