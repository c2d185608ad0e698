"""Counts what XLA compiles."""

import contextlib
from collections.abc import Iterator

import jax
from jax import monitoring

_COMPILED = "/jax/core/compile/backend_compile_duration"


class Count:
    """How many programs were compiled (or taken from the persistent cache) so far."""

    compiled = 0


@contextlib.contextmanager
def counting() -> Iterator[Count]:
    """Counts from here to the end of the context, in all threads."""
    count = Count()

    def listener(event: str, seconds: float, **kwargs: object) -> None:
        count.compiled += event == _COMPILED

    monitoring.register_event_duration_secs_listener(listener)
    try:
        yield count
    finally:
        monitoring.unregister_event_duration_listener(listener)


def compiles_are_counted() -> bool:
    """Whether the event still has the name that is counted here."""
    with counting() as count:
        jax.jit(lambda x: x + 1)(1.0)
    return count.compiled > 0
