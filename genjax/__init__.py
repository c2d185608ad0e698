"""Generative model families in JAX and Flax: pure losses and steps, one engine, built for speed.

    config = genjax.recipe("vae", steps=500)
    result = genjax.train(config, "runs/vae", data={"x": images})
    codes = genjax.load("runs/vae").encode(images)

Each name is looked up when it is first used: `import genjax` alone does not start JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genjax import families, heads, losses
    from genjax.api import Result, export, load, recipe, train
    from genjax.core.family import Family, State

__version__ = "0.1.0"
__all__ = [
    "Family",
    "Result",
    "State",
    "__version__",
    "export",
    "families",
    "heads",
    "load",
    "losses",
    "recipe",
    "train",
]
_ROOMS = {
    "Family": "core.family",
    "State": "core.family",
    "Result": "api",
    "export": "api",
    "load": "api",
    "recipe": "api",
    "train": "api",
}


def __getattr__(name: str) -> Any:
    if name in ("families", "heads", "losses"):
        return importlib.import_module(f"{__name__}.{name}")
    if name in _ROOMS:
        return getattr(importlib.import_module(f"{__name__}.{_ROOMS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
