"""A family whose functions are compiled: op by op they take longer than the tests they serve."""

import copy
from typing import Any

import jax

from genjax.core.capabilities import uses
from genjax.core.family import Family


def compiled(family: Family) -> Family:
    """Returns the same family, all jitted but `sample` and `context`, which take or give ints."""
    names = {"init", "step", "evaluate", *uses(family)} - {"sample", "context"}
    jitted: dict[str, Any] = {name: jax.jit(getattr(family, name)) for name in names}
    twin = copy.copy(family)
    vars(twin).update(jitted)  # an instance's own attributes come before its class's methods
    return twin
