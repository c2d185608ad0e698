"""How an operation is lowered on which platform: the one place that asks for the platform.

It is that of the default backend, or inside `traced_for` the one that a program is made for and
that need not be there: a program that is traced on a CPU to be run on a GPU has what a GPU wants.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import jax

from genjax.core import checks

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")

_LOWERINGS = {  # of an operation: on CPU, elsewhere
    "convolution": ("matmul", "stock"),  # see `genjax.ops.conv`
    "bias": ("matmul", "stock"),  # see `genjax.ops.cross_entropy.token_logits`
    # Passes of a network over several batches. Dense layers gain from few large products anywhere;
    # on CPU, patches of convolutions should stay in the cache.
    "convolutional passes": ("narrow", "wide"),
    # Loops of which the host would have to read the condition. A CPU has nothing to wait for, and
    # compiles one program for every length.
    "loops over steps": ("dynamic", "static"),
    # What the noise of a step is drawn from: where each kernel counts, for a whole chunk at once.
    "keys of steps": ("within", "before"),
    "metrics of steps": ("apart", "together"),  # see `genjax.engine.step_metrics`
    # See `genjax.ops.scanned.scan`, which launches fewer kernels unrolled.
    "recurrence": ("rolled", "unrolled"),
    # Of `jnp.searchsorted`: a loop of some kernels a round, or one kernel.
    "binary search": ("scan", "scan_unrolled"),
}

_traced_for: ContextVar[str | None] = ContextVar("genjax_platform", default=None)


def platform() -> str:
    """Returns the platform, of `PLATFORMS`, that programs are traced for here."""
    if chosen := _traced_for.get():
        return chosen
    backend = jax.default_backend()  # of a GPU its maker is not told
    return "cuda" if backend == "gpu" else backend


@contextlib.contextmanager
def traced_for(name: str | None) -> Iterator[None]:
    """Traces what is inside for a platform of `PLATFORMS`; None: that of the default backend.

    A function that `jax.jit` has traced before keeps what it chose then.

    Raises:
      ValueError: there is no such platform.
    """
    if name is not None:
        checks.chosen("platform", name, PLATFORMS)
    token = _traced_for.set(name)
    try:
        yield
    finally:
        _traced_for.reset(token)


def choices(operation: str) -> tuple[str, ...]:
    """Returns what may be chosen for an operation, `"auto"` first."""
    return ("auto", *_LOWERINGS[operation])


def lowering(operation: str, choice: str = "auto") -> str:
    """Returns the name of an operation's lowering.

    Args:
      operation: a key of the table above.
      choice: of `choices`; `"auto"`: what suits the platform that is traced for.

    Raises:
      ValueError: another choice.
    """
    checks.chosen("lowering", choice, choices(operation))
    if choice != "auto":
        return choice
    on_cpu, elsewhere = _LOWERINGS[operation]
    return on_cpu if platform() == "cpu" else elsewhere
