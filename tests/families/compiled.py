"""A family whose functions are compiled: op by op they take longer than the tests they serve."""

import jax

from genjax.core.family import Family


def compiled(family: Family) -> Family:
    """The same family, each function jitted but `sample`, whose n is static."""
    return family._replace(
        init=jax.jit(family.init), step=jax.jit(family.step), evaluate=jax.jit(family.evaluate),
        functions={name: jax.jit(f) for name, f in family.functions.items()},
    )  # fmt: skip
