"""How an operation is lowered on which platform: the one place that asks for the platform.

It is that of the default backend, or inside `traced_for` the one that a program is made for and
that need not be there: a program that is traced on a CPU to be run on a GPU has what a GPU wants.
"""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextvars import ContextVar

import jax
from jax.extend.backend import get_backend

from genjax.core import checks
from genjax.core.ambient import setting

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")

_LOWERINGS = {  # of an operation: by platform, "" stands for those that are not named
    "convolution": {"cpu": "matmul", "": "stock"},  # see `genjax.ops.conv`
    "bias": {"cpu": "matmul", "": "stock"},  # see `genjax.ops.cross_entropy.token_logits`
    # Sums behind arithmetic, of which XLA's CPU backend would make scalar loops.
    "sums": {"cpu": "matmul", "": "stock"},
    # Rows of small tables, whose gradient is a product in place of a scatter-add.
    "rows of tables": {"cpu": "matmul", "": "stock"},
    # Passes of a network over several batches. Dense layers gain from few large products anywhere;
    # on CPU, patches of convolutions should stay in the cache.
    "convolutional passes": {"cpu": "narrow", "": "wide"},
    # Loops of which the host would have to read the condition. A CPU has nothing to wait for, and
    # compiles one program for every length.
    "loops over steps": {"cpu": "dynamic", "": "static"},
    # What the noise of a step is drawn from: where each kernel counts, for a whole chunk at once.
    "keys of steps": {"cpu": "within", "": "before"},
    "metrics of steps": {"cpu": "apart", "": "together"},  # see `genjax.engine.step_metrics`
    # See `genjax.ops.scanned.scan`, which launches fewer kernels unrolled.
    "recurrence": {"cpu": "rolled", "": "unrolled"},
    # Of `jnp.searchsorted`: a loop of some kernels a round, or one kernel.
    "binary search": {"cpu": "scan", "": "scan_unrolled"},
    # See `genjax.ops.attention`, and its kernels.
    "scores": {"cpu": "whole", "": "blocks"},
    "attention": {"": "plain", "cuda": "cudnn", "tpu": "flash"},
}

# Where nothing is differentiated; see `forward_only`.
_FORWARD = {"convolution": "stock"}

_traced_for: ContextVar[str | None] = ContextVar("genjax_platform", default=None)
_forward_only: ContextVar[bool] = ContextVar("genjax_forward_only", default=False)


def platform() -> str:
    """Returns the platform, of `PLATFORMS`, that programs are traced for here."""
    if chosen := _traced_for.get():
        return chosen
    backend = jax.default_backend()
    if backend != "gpu":
        return backend
    version = get_backend().platform_version  # the name of the backend does not tell a GPU's maker
    return "rocm" if "rocm" in version.lower() else "cuda"


def traced_for(name: str | None) -> AbstractContextManager[None]:
    """Traces what is inside for a platform of `PLATFORMS`; None: that of the default backend.

    A function that `jax.jit` has traced before keeps what it chose then.

    Raises:
      ValueError: there is no such platform.
    """
    if name is not None:
        checks.chosen("platform", name, PLATFORMS)
    return setting(_traced_for, name)


def forward_only() -> AbstractContextManager[None]:
    """Traces what is inside for programs that take no gradient."""
    return setting(_forward_only, True)


def choices(operation: str) -> tuple[str, ...]:
    """Returns what may be chosen for an operation, `"auto"` first."""
    return ("auto", *_LOWERINGS[operation].values())


def lowering(operation: str, choice: str = "auto") -> str:
    """Returns the name of an operation's lowering.

    Args:
      operation: a key of the table above.
      choice: of `choices`; `"auto"`: what suits the platform that is traced for, and inside of
        `forward_only` passes without gradients.

    Raises:
      ValueError: another choice.
    """
    checks.chosen("lowering", choice, choices(operation))
    if choice != "auto":
        return choice
    if _forward_only.get() and operation in _FORWARD:
        return _FORWARD[operation]
    by_platform = _LOWERINGS[operation]
    return by_platform.get(platform(), by_platform[""])


@contextlib.contextmanager
def matmul_precision(name: str, *, tpu: str = "default") -> Iterator[None]:
    """Traces what is inside with products of a precision.

    Args:
      name: `"default"`, `"high"` or `"highest"`, as JAX calls them: on a GPU products in float32
        are TF32, bfloat16 x 3 or float32, on a TPU one, three or six passes of bfloat16, on a CPU
        always float32. `"auto"`: as around it, but for a TPU where that says nothing `tpu`.
      tpu: see `name`.
    """
    if name == "auto":
        said = jax.config.values["jax_default_matmul_precision"] is not None
        name = "default" if said or platform() != "tpu" else tpu
        if name == "default":
            yield
            return
    with jax.default_matmul_precision(name):
        yield
