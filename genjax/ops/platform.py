"""How an operation is lowered on which platform: the one place that asks for the backend."""

import jax

from genjax.core import checks

_LOWERINGS = {  # of an operation: on CPU, elsewhere
    "convolution": ("matmul", "stock"),  # see `genjax.ops.conv`
    "bias": ("matmul", "stock"),  # see `genjax.ops.cross_entropy.token_logits`
    # Passes of a network over several batches. Dense layers gain from few large products anywhere;
    # on CPU, patches of convolutions should stay in the cache.
    "convolutional passes": ("narrow", "wide"),
}


def choices(operation: str) -> tuple[str, ...]:
    """Returns what may be chosen for an operation, `"auto"` first."""
    return ("auto", *_LOWERINGS[operation])


def lowering(operation: str, choice: str = "auto") -> str:
    """Returns the name of an operation's lowering.

    Args:
      operation: a key of the table above.
      choice: of `choices`; `"auto"`: what suits the default backend.

    Raises:
      ValueError: another choice.
    """
    checks.chosen("lowering", choice, choices(operation))
    if choice != "auto":
        return choice
    on_cpu, elsewhere = _LOWERINGS[operation]
    return on_cpu if jax.default_backend() == "cpu" else elsewhere
