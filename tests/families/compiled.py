"""A family whose functions are compiled: op by op they take longer than the tests they serve."""

import copy
from typing import Any

import jax

from genjax.core.family import Family, OldFamily


def compiled(family: Family) -> Family:
    """The same family, each function jitted but `sample`, whose n is static."""
    jitted: dict[str, Any] = {
        name: jax.jit(getattr(family, name)) for name in ("init", "step", "evaluate")
    }
    jitted["functions"] = {name: jax.jit(f) for name, f in family.functions.items()}
    if isinstance(family, OldFamily):
        return family._replace(**jitted)
    twin = copy.copy(family)
    vars(twin).update(jitted)  # an instance's own attributes come before its class's methods
    return twin
