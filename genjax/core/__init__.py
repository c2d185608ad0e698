"""The contract of families; what a family of one's own needs of it is here by one name."""
# ruff: noqa: F401

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genjax.core.batch import batch_mean, batch_sum
    from genjax.core.config import Base, base, fail
    from genjax.core.family import Family, State, new_state, shared_fields
    from genjax.core.fields import field, read, section, subsection
    from genjax.core.optimizer import ema_update, make_optimizer
    from genjax.core.random import batch_normal, batch_uniform, init_key, step_key
    from genjax.core.update import first_state, minimize
else:
    # Looked up when first used: programs read configs before JAX is imported.
    _ROOMS = {
        "batch": ("batch_mean", "batch_sum"),
        "config": ("Base", "base", "fail"),
        "family": ("Family", "State", "new_state", "shared_fields"),
        "fields": ("field", "read", "section", "subsection"),
        "optimizer": ("ema_update", "make_optimizer"),
        "random": ("batch_normal", "batch_uniform", "init_key", "step_key"),
        "update": ("first_state", "minimize"),
    }
    __all__ = sorted(name for names in _ROOMS.values() for name in names)

    def __getattr__(name: str) -> Any:
        for room, names in _ROOMS.items():
            if name in names:
                return getattr(importlib.import_module(f"{__name__}.{room}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
